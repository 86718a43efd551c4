import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const moduleFolder = join(import.meta.dirname, "helm-3");

/** Where Helm 3 lies once it was built: one folder for each content of `helm-3/go.mod` and `go.sum`. */
export function helm3Path(): string {
	const hash = createHash("sha256");
	for (const name of ["go.mod", "go.sum"]) {
		hash.update(readFileSync(join(moduleFolder, name)));
	}
	const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
	return join(base, "waymark", `helm-3-${hash.digest("hex").slice(0, 16)}`, "helm");
}

/** Builds Helm 3 with Go, unless it is there: some minutes, once. */
async function build(): Promise<void> {
	const path = helm3Path();
	if (existsSync(path)) {
		return;
	}
	await mkdir(dirname(path), { recursive: true });
	const unfinished = `${path}-${process.pid}`;
	const args = ["build", "-o", unfinished, "helm.sh/helm/v3/cmd/helm"];
	await promisify(execFile)("go", args, { cwd: moduleFolder, maxBuffer: 64 * 1024 * 1024 });
	await rename(unfinished, path);
}

if (import.meta.main) {
	await build();
	console.log(helm3Path());
}
