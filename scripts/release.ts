import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";

const root = join(import.meta.dirname, "..");

const usage = `Usage: npm run release -- --base-url URL [--out DIR] [--helm FILE]

Writes the package, the kubectl plugin with its manifest for Krew, the chart, SBOMs and digests into DIR (default release/),
which must not exist. Publishes nothing.

  --base-url URL  where the files will lie, as https://HOST/PATH: the manifest for Krew names it
  --helm FILE     the helm that packs the chart (default helm); "" leaves the chart out`;

interface Options {
	readonly baseUrl: string;
	readonly out: string;
	readonly helm: string;
}

function readOptions(argv: readonly string[]): Options | undefined {
	const { values } = parseArgs({
		args: [...argv],
		options: {
			"base-url": { type: "string", default: "" },
			out: { type: "string", default: join(root, "release") },
			helm: { type: "string", default: "helm" },
		},
	});
	const baseUrl = values["base-url"].replace(/\/+$/, "");
	return /^https:\/\/[^\s/]+(?:\/\S*)?$/.test(baseUrl)
		? { baseUrl, out: values.out, helm: values.helm }
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

/** Writes the release; the names of the files, relative to its folder. */
function release({ baseUrl, out, helm }: Options): readonly string[] {
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
		run(helm, ["package", join(root, "charts/waymark"), "--destination", join(out, "chart")]);
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
	return [...files, "SHA256SUMS"];
}

const options = readOptions(process.argv.slice(2));
if (options === undefined) {
	console.error(usage);
	process.exitCode = 64;
} else {
	console.log(release(options).join("\n"));
}
