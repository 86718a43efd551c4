import { execFile } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "./binaries.ts";

// OpenReports' own definitions, out of the module of its API.
const module = "github.com/openreports/reports-api@v0.2.1";
const sum = "h1:g9KS3yle9Y1elmww4TK9EkD1rl6inIaiIJPX6e+u680=";

/** The CRDs of OpenReports as YAML, from the cache of the control plane, else from the Go module that carries them. */
export async function reportCrds(): Promise<string> {
	const path = join(await cacheFolder(), "openreports-crds-0.2.1.yaml");
	const known = await readFile(path, "utf8").catch(() => undefined);
	if (known !== undefined) {
		return known;
	}
	const { stdout } = await promisify(execFile)("go", ["mod", "download", "-json", module], {
		// Outside of any module, whose own go.sum would have to know it.
		cwd: tmpdir(),
		env: { ...process.env, GOFLAGS: "-mod=mod", GOWORK: "off" },
	});
	const download = JSON.parse(stdout) as { readonly Dir: string; readonly Sum: string };
	if (download.Sum !== sum) {
		throw new Error(`Cannot use ${module}: its sum is ${download.Sum}, not ${sum}`);
	}
	const files = ["openreports.io_reports.yaml", "openreports.io_clusterreports.yaml"];
	const texts = await Promise.all(
		files.map((file) => readFile(join(download.Dir, "config/crd", file), "utf8")),
	);
	await mkdir(dirname(path), { recursive: true });
	await writeFile(`${path}.${process.pid}`, texts.join("\n---\n"));
	await rename(`${path}.${process.pid}`, path);
	return texts.join("\n---\n");
}
