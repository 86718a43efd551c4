import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { eventually } from "./installation.ts";
import { createProcessGroup, freePorts } from "./processes.ts";

const root = join(import.meta.dirname, "../..");

/** The folders of node_modules that the image has: no development, no optional packages, nothing of client-node's own. */
function packagesOfImage(): readonly string[] {
	const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
		readonly packages: Readonly<
			Record<string, { readonly dev?: boolean; readonly optional?: boolean; readonly devOptional?: boolean }>
		>;
	};
	return Object.entries(packages)
		.filter(([path, entry]) => path !== "" && !entry.dev && !entry.optional && !entry.devOptional)
		.map(([path]) => path)
		.filter((path) => !path.includes("@kubernetes/client-node"));
}

it("dist/ serves with the packages of the image, from a folder that it does not write to", async () => {
	await using stack = new AsyncDisposableStack();
	const group = await createProcessGroup();
	stack.defer(() => group.stop());
	const app = join(group.folder, "app");
	execFileSync(process.execPath, [join(root, "scripts/build.ts"), join(app, "dist")], { cwd: root });
	for (const path of packagesOfImage()) {
		mkdirSync(dirname(join(app, path)), { recursive: true });
		cpSync(join(root, path), join(app, path), { recursive: true, dereference: true });
	}
	cpSync(join(root, "package.json"), join(app, "package.json"));
	const tls = join(group.folder, "tls");
	mkdirSync(tls);
	execFileSync("openssl", [
		...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
		...["-subj", "/CN=waymark", "-addext", "subjectAltName=IP:127.0.0.1"],
		...["-keyout", join(tls, "tls.key"), "-out", join(tls, "tls.crt")],
	]);
	const [port = 0] = await freePorts(1);
	const running = group.start({
		name: "dist",
		command: process.execPath,
		args: [
			...[join(app, "dist/main.js"), "serve", "--world", join(root, "examples"), "--certificates", tls],
			...["--listen", "127.0.0.1:0", "--operations", `127.0.0.1:${port}`],
		],
		env: { NODE_ENV: "production" },
		cwd: "/",
	});
	await eventually(
		"the compiled server is ready",
		async () => {
			try {
				return (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200;
			} catch {
				return false;
			}
		},
		{ limitMs: 20_000, processes: [running] },
	);
	await running.stop("SIGTERM");
	assert.equal(await running.ended, "code 0");
});
