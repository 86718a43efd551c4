import { execFile } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "./binaries.ts";

// A library for SARIF that carries the schema of OASIS, SARIF 2.1.0 with errata 01, in its source.
const module = "github.com/owenrumney/go-sarif/v3@v3.3.1";
const sum = "h1:bKY8YnWcY8zYTiGVObC5wZLlfEvMkCxK9XMGXBbzEtQ=";

/**
 * The official schema of SARIF 2.1.0, from the cache of the control plane, else from the Go module that carries it.
 * It stands in no go.mod, so that the programs of the control plane do not have to be built anew for it.
 */
export async function sarifSchema(): Promise<Record<string, unknown>> {
	const path = join(await cacheFolder(), "sarif-schema-2.1.0.json");
	const known = await readFile(path, "utf8").catch(() => undefined);
	if (known !== undefined) {
		return JSON.parse(known) as Record<string, unknown>;
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
	const source = await readFile(join(download.Dir, "pkg/report/v210/sarif/schema.go"), "utf8");
	const text = source.slice(source.indexOf("`") + 1, source.lastIndexOf("`"));
	const schema = JSON.parse(text) as Record<string, unknown>;
	await mkdir(dirname(path), { recursive: true });
	await writeFile(`${path}.${process.pid}`, text);
	await rename(`${path}.${process.pid}`, path);
	return schema;
}
