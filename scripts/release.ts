import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";

const root = join(import.meta.dirname, "..");

const usage = `Usage: npm run release -- --base-url URL [--home URL] [--sign KEY] [--out DIR] [--helm FILE]

Writes the package, the kubectl plugin with its manifest for Krew, the chart, SBOMs and digests into DIR (default release/),
which must not exist. Publishes nothing.

  --base-url URL  where the files will lie, as https://HOST/PATH: the manifest for Krew names it
  --home URL      where the project is kept: the chart names it; without it the chart keeps example.com
  --sign KEY      a private key (ECDSA P-256, PEM) that signs the digests, as cosign sign-blob does
  --helm FILE     the helm that packs the chart (default helm); "" leaves the chart out`;

interface Options {
	readonly baseUrl: string;
	readonly home: string | undefined;
	/** The file of the private key. */
	readonly key: string | undefined;
	readonly out: string;
	readonly helm: string;
}

const webAddress = /^https:\/\/[^\s/]+(?:\/\S*)?$/;

function readOptions(argv: readonly string[]): Options | undefined {
	const { values } = parseArgs({
		args: [...argv],
		options: {
			"base-url": { type: "string", default: "" },
			home: { type: "string" },
			sign: { type: "string" },
			out: { type: "string", default: join(root, "release") },
			helm: { type: "string", default: "helm" },
		},
	});
	const baseUrl = values["base-url"].replace(/\/+$/, "");
	const home = values.home?.replace(/\/+$/, "");
	return webAddress.test(baseUrl) && (home === undefined || webAddress.test(home))
		? { baseUrl, home, key: values.sign, out: values.out, helm: values.helm }
		: undefined;
}

function run(program: string, args: readonly string[], cwd = root): string {
	return execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

/** The folder of the plugin: the package and its own packages, which run wherever there is Node.js. */
function writePlugin(tarball: string, archive: string): void {
	const folder = mkdtempSync(join(tmpdir(), "waymark-plugin-"));
	try {
		run("npm", ["install", "--prefix", folder, "--no-save", "--omit=dev", "--omit=optional", tarball]);
		const own = join(folder, "node_modules/waymark");
		cpSync(join(folder, "node_modules"), join(folder, "plugin/node_modules"), {
			recursive: true,
			filter: (path) => path !== own && !path.startsWith(`${own}/`) && !path.endsWith("/.bin"),
		});
		for (const part of readdirSync(own)) {
			cpSync(join(own, part), join(folder, "plugin", part), { recursive: true });
		}
		cpSync(join(root, "LICENSE"), join(folder, "plugin/LICENSE"));
		// The same bytes from the same files.
		run("tar", [
			...["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf", archive],
			...["-C", join(folder, "plugin"), "."],
		]);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

function sha256(file: string): string {
	return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** The manifest of the plugin, of the form that krew.googlecontainertools.github.com/v1alpha2 has. */
function krewManifest(version: string, archive: string, url: string): string {
	return stringify({
		apiVersion: "krew.googlecontainertools.github.com/v1alpha2",
		kind: "Plugin",
		metadata: { name: "waymark" },
		spec: {
			version: `v${version}`,
			shortDescription: "Lint and trace Istio ambient egress",
			description:
				"Judges egress of Istio's ambient mode by the rules of the Waymark admission webhook: lint manifests or a live cluster, trace which way a connection takes and why, and list who may and who can reach which host.",
			caveats: "Needs Node.js 22 or later on PATH.\n",
			platforms: [
				{
					selector: { matchExpressions: [{ key: "os", operator: "In", values: ["darwin", "linux"] }] },
					uri: url,
					sha256: sha256(archive),
					bin: "bin/waymark.js",
				},
			],
		},
	});
}

/** Packs the chart, which names the project's home where that is known. */
function packChart(helm: string, home: string | undefined, destination: string): void {
	const folder = mkdtempSync(join(tmpdir(), "waymark-chart-"));
	try {
		const chart = join(folder, "waymark");
		cpSync(join(root, "charts/waymark"), chart, { recursive: true });
		if (home !== undefined) {
			const file = join(chart, "Chart.yaml");
			writeFileSync(
				file,
				readFileSync(file, "utf8").replaceAll("https://example.com/waymark", () => home),
			);
		}
		run(helm, ["package", chart, "--destination", destination]);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** Signs a file as `cosign sign-blob --key` does: ECDSA over SHA-256, DER in base64; the public key lies beside it. */
function signFile(file: string, key: string): void {
	const secret = createPrivateKey(readFileSync(key));
	const curve = secret.asymmetricKeyDetails?.namedCurve;
	if (curve !== "prime256v1") {
		throw new Error(`Cannot sign with ${key}: an ECDSA key on P-256 belongs there`);
	}
	writeFileSync(`${file}.sig`, sign("sha256", readFileSync(file), secret).toString("base64"));
	writeFileSync(`${file}.pub`, createPublicKey(secret).export({ type: "spki", format: "pem" }));
}

/** Writes the release; the names of the files, relative to its folder. */
function release({ baseUrl, home, key, out, helm }: Options): readonly string[] {
	const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
		readonly version: string;
	};
	mkdirSync(out);
	for (const folder of ["npm", "krew", "chart"]) {
		mkdirSync(join(out, folder));
	}
	run("npm", ["pack", "--silent", "--pack-destination", join(out, "npm")]);
	const archive = `krew/waymark-${version}.tar.gz`;
	writePlugin(join(out, `npm/waymark-${version}.tgz`), join(out, archive));
	writeFileSync(
		join(out, "krew/waymark.yaml"),
		krewManifest(version, join(out, archive), `${baseUrl}/waymark-${version}.tar.gz`),
	);
	if (helm !== "") {
		packChart(helm, home, join(out, "chart"));
	}
	for (const [format, ending] of [
		["cyclonedx", "cdx"],
		["spdx", "spdx"],
	] as const) {
		const flags = ["--package-lock-only", "--omit=dev", "--omit=optional", "--sbom-type=application"];
		writeFileSync(
			join(out, `waymark.${ending}.json`),
			run("npm", ["sbom", ...flags, `--sbom-format=${format}`]),
		);
	}
	const files = readdirSync(out, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1))
		.toSorted();
	writeFileSync(
		join(out, "SHA256SUMS"),
		files.map((file) => `${sha256(join(out, file))}  ${file}\n`).join(""),
	);
	if (key === undefined) {
		return [...files, "SHA256SUMS"];
	}
	signFile(join(out, "SHA256SUMS"), key);
	return [...files, "SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.pub"];
}

const options = readOptions(process.argv.slice(2));
if (options === undefined) {
	console.error(usage);
	process.exitCode = 64;
} else {
	console.log(release(options).join("\n"));
}
