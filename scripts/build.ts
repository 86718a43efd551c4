import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");

interface Package {
	readonly name: string;
	readonly version: string;
	readonly license: string;
	readonly dependencies?: Readonly<Record<string, string>>;
}

/** The folders of node_modules that went into the bundle, by the files that did. */
function packageFolders(files: readonly string[]): readonly string[] {
	const folders = files.flatMap((file) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
	return [...new Set(folders)].toSorted();
}

/** What the licences of bundled packages ask for: their name, and their text. */
function notices(folders: readonly string[]): string {
	return folders
		.map((folder) => {
			const { name, version, license } = readPackage(join(root, folder));
			const [file] = globSync("LICEN[CS]E*", { cwd: join(root, folder) });
			const text = file === undefined ? "" : `\n${readFileSync(join(root, folder, file), "utf8").trim()}\n`;
			return `${name} ${version} (${license})\n${text}`;
		})
		.join(`\n${"-".repeat(80)}\n\n`);
}

function readPackage(folder: string): Package {
	return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Package;
}

/**
 * Writes `dist/`: JavaScript in few files, since reading and linking 400 modules takes longer than judging a manifest.
 * What package.json depends on stays outside, so that npm and scanners see it.
 */
async function main(outdir: string): Promise<void> {
	const dependencies = Object.keys(readPackage(root).dependencies ?? {});
	rmSync(outdir, { recursive: true, force: true });
	const { metafile } = await build({
		absWorkingDir: root,
		// The second is what a thread runs.
		entryPoints: ["src/main.ts", "src/manifests/read-aside.ts"],
		outdir,
		bundle: true,
		splitting: true,
		// Two folders deep, as in src/: the version is read from ../../package.json.
		chunkNames: "chunks/[name]-[hash]",
		format: "esm",
		platform: "node",
		target: "node22",
		external: dependencies.flatMap((name) => [name, `${name}/*`]),
		metafile: true,
		logLevel: "warning",
	});
	writeFileSync(join(outdir, "THIRD-PARTY.txt"), notices(packageFolders(Object.keys(metafile.inputs))));
}

await main(process.argv[2] ?? join(root, "dist"));
