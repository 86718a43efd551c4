# The image of `waymark serve`: Node, its libraries and what serve imports; no shell, no package manager, no root.
# docs/image.md says how it is built, signed and described.

# Pin it by digest: docker build --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
# As in the image: the compile cache knows files by their paths.
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools tools
# First what changes least: an edit of the source does not install again.
RUN npm ci
COPY scripts scripts
COPY docs/schemas docs/schemas
COPY src src
# What only development needs stays here.
RUN npm run build \
 && npm prune --no-save --omit=dev --omit=optional --ignore-scripts \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.md' \) -delete

# The documentation, which serve shows where it is asked to (--docs).
COPY README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md ./
COPY docs docs
COPY charts charts
COPY certs certs
COPY examples examples
COPY test/e2e/README.md test/e2e/README.md
RUN node scripts/site.ts --out /app/site

# What V8 makes of the modules, so that a start need not do it again; Node keeps one for each user.
RUN mkdir compile-cache && chown 65532:65532 compile-cache \
 && NODE_COMPILE_CACHE=/app/compile-cache setpriv --reuid=65532 --regid=65532 --clear-groups node --input-type=module --eval \
    'import { globSync } from "node:fs"; for (const file of globSync("/app/dist/**/*.js")) await import(file);'

# The root of the final stage: node with the libraries that it loads, found by the loader itself.
RUN set -eu; root=/root-of-image; node="$(command -v node)"; \
    mkdir -p "$root/usr/bin" "$root/etc" "$root/app"; \
    cp -L "$node" "$root/usr/bin/node"; \
    ldd "$node" | grep -o '/[^ ]*' | while read -r library; do \
      mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"; \
    done; \
    echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' > "$root/etc/passwd"; \
    echo 'nonroot:x:65532:' > "$root/etc/group"; \
    cp -a package.json node_modules dist site compile-cache "$root/app/"; \
    chmod -R a+rX,go-w "$root"

FROM scratch
LABEL org.opencontainers.image.title="waymark" \
      org.opencontainers.image.description="Admission control for Istio ambient egress" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /root-of-image /
WORKDIR /app
USER 65532:65532
# Less than the limit of 256 MiB that the chart sets: buffers and TLS live outside the heap. A young generation that
# may grow to 64 MiB would take what the audit of a large cluster throws away at once.
ENV NODE_ENV=production NODE_OPTIONS="--max-old-space-size=160 --max-semi-space-size=4" NODE_COMPILE_CACHE=/app/compile-cache
EXPOSE 8443 8081
ENTRYPOINT ["/usr/bin/node", "/app/dist/main.js"]
CMD ["serve"]
