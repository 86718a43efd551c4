import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { throwAwayCertificate } from "../../src/certificates/throw-away.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withAnnotations,
} from "../../src/rules/examples.ts";
import { reviewOf } from "../support/reviews.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { runScript, startServe } from "../support/serve-process.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "../..");

/** A folder that is gone after the test, with a world below `world`. */
function makeFolder(context: TestContext): { readonly cwd: string; readonly world: string } {
	const cwd = mkdtempSync(join(tmpdir(), "waymark-serve-"));
	context.after(() => rmSync(cwd, { recursive: true }));
	const world = join(cwd, "world");
	mkdirSync(join(world, "teams"), { recursive: true });
	write(join(world, "egress.yaml"), egressNamespace, egressWaypoint);
	write(join(world, "teams/team.yaml"), teamNamespace);
	return { cwd, world };
}

function write(file: string, ...objects: readonly AnyObject[]): void {
	writeFileSync(file, objects.map((object) => stringify(object)).join("---\n"));
}

async function ready(
	server: ServeProcess,
	query = "",
): Promise<{ readonly status: number; readonly text: string }> {
	const answer = await fetch(`${server.operations}/readyz${query}`);
	return { status: answer.status, text: await answer.text() };
}

/** Asks until the answer is as wished; fails with the last one after ten seconds. */
async function eventually<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
	const deadline = Date.now() + 10_000;
	for (;;) {
		const answer = await ask();
		if (holds(answer)) {
			return answer;
		}
		assert.ok(Date.now() < deadline, `still ${JSON.stringify(answer)}`);
		await sleep(30);
	}
}

test("serve --world prints its URL and its CA on one line each, answers, and ends with 0 on SIGTERM", async (context) => {
	const { cwd, world } = makeFolder(context);
	const server = await startServe(context, ["--world", world], { cwd });
	assert.match(
		server.out(),
		/^Webhook: +https:\/\/127\.0\.0\.1:\d+\nCA: +\/\S+\/ca\.crt\nOperations: http:\/\/127\.0\.0\.1:\d+\n$/,
	);
	const mutation = await server.ask("mutate", reviewOf(plainEntry));
	assert.match(Buffer.from(mutation.patch ?? "", "base64").toString(), /"istio\.io\/use-waypoint":"egress"/);
	assert.equal((await server.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.match(
		(await server.ask("validate", reviewOf(plainEntry))).status?.message ?? "",
		/^serviceentry-waypoint-binding: /,
	);
	assert.equal(await (await fetch(`${server.operations}/livez`)).text(), "ok\n");
	const [line = "{}"] = server.log().split("\n");
	const { level, time } = JSON.parse(line) as Record<string, unknown>;
	assert.equal(level, "info");
	assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
	assert.deepEqual(await ready(server), { status: 200, text: "ok\n" });
	const { text } = await ready(server, "?verbose");
	assert.match(text, /^\[\+\] listening: 127\.0\.0\.1:\d+$/m);
	assert.match(text, /^\[\+\] world: 3 objects$/m);
	const metrics = await (await fetch(`${server.operations}/metrics`)).text();
	assert.match(
		metrics,
		/^waymark_admission_duration_seconds_count\{webhook="validate",decision="deny"\} 1$/m,
	);
	assert.match(
		metrics,
		/^waymark_findings_total\{rule="serviceentry-waypoint-binding",severity="error",mode="enforce"\} 1$/m,
	);
	const ended = await server.end("SIGTERM");
	assert.equal(ended.code, 0, ended.error);
	assert.equal(existsSync(server.caFile), false);
});

test("serve --world ends with 0 on SIGINT also while a client keeps its connection", async (context) => {
	const { cwd, world } = makeFolder(context);
	const server = await startServe(context, ["--world", world], { cwd });
	await server.ask("validate", reviewOf(boundEntry));
	const start = performance.now();
	assert.equal((await server.end("SIGINT")).code, 0);
	assert.ok(performance.now() - start < 5_000);
});

test("serve --world takes an edited, a new, a renamed and a deleted file without a restart", async (context) => {
	const { cwd, world } = makeFolder(context);
	const server = await startServe(context, ["--world", world], { cwd });
	const validate = () => server.ask("validate", reviewOf(boundEntry));
	const isDenied = ({ allowed }: { readonly allowed: boolean }): boolean => !allowed;
	const isAllowed = ({ allowed }: { readonly allowed: boolean }): boolean => allowed;
	const denying = withAnnotations(teamNamespace, {
		"egress.waymark.dev/waypoint": "istio-egress/egress",
		"egress.waymark.dev/denied-hosts": "*.example.com",
	});
	assert.equal((await validate()).allowed, true);
	write(join(world, "teams/team.yaml"), denying);
	const denied = await eventually(validate, isDenied);
	assert.match(denied.status?.message ?? "", /^serviceentry-policy-host: /);
	write(join(world, "teams/team.yaml"), teamNamespace);
	await eventually(validate, isAllowed);
	renameSync(join(world, "egress.yaml"), join(world, "egress.txt"));
	const unbound = await eventually(validate, isDenied);
	assert.match(unbound.status?.message ?? "", /^serviceentry-waypoint-existence: /);
	renameSync(join(world, "egress.txt"), join(world, "teams/egress.yml"));
	await eventually(validate, isAllowed);
	rmSync(join(world, "teams"), { recursive: true });
	await eventually(validate, isDenied);
	assert.equal((await server.end()).code, 0);
});

test("serve --world reports a broken file with file and line, keeps the last good world, and takes the next good one", async (context) => {
	const { cwd, world } = makeFolder(context);
	const server = await startServe(context, ["--world", world], { cwd });
	const file = join(world, "teams/team.yaml");
	const read = () => ready(server, "?verbose");
	writeFileSync(file, `${stringify(teamNamespace)}---\nkind: [\n`);
	const broken = await eventually(read, ({ text }) => text.includes("[!] world"));
	assert.equal(broken.status, 200);
	const lines = stringify(teamNamespace).split("\n").length;
	const place = new RegExp(`^\\[!\\] world: the last good one is in use: ${file}:(\\d+): `, "m").exec(
		broken.text,
	);
	assert.ok(Math.abs(Number(place?.[1]) - lines - 1) <= 1, broken.text);
	// The log comes by a pipe of its own, which may be read later than the answer.
	await until("the log says it, too", () => server.log().includes(`${file}:${place?.[1]}: `), 5_000);
	assert.match(server.log(), /"msg":"world not read, the last good one is kept"/);
	assert.equal((await server.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.equal((await server.ask("validate", reviewOf(plainEntry))).allowed, false);
	write(file, teamNamespace);
	await eventually(read, ({ text }) => text.includes("[+] world: 3 objects"));
	assert.equal((await server.end()).code, 0);
});

test("serve --config takes a changed configuration, and keeps the last good one over a bad one", async (context) => {
	const { cwd, world } = makeFolder(context);
	const config = join(cwd, "waymark.yaml");
	writeFileSync(config, "limits: {allowedPorts: [443]}\n");
	const server = await startServe(context, ["--world", world, "--config", config], { cwd });
	assert.equal((await server.ask("validate", reviewOf(boundEntry))).allowed, true);
	writeFileSync(config, "limits: {allowedPorts: [80]}\n");
	await eventually(
		() => server.ask("validate", reviewOf(boundEntry)),
		({ status }) => status?.message.startsWith("serviceentry-policy-port: ") === true,
	);
	writeFileSync(config, "limits: {allowedPorts: [eighty], more: 1}\n");
	const { text } = await eventually(
		() => ready(server, "?verbose"),
		(answer) => answer.text.includes("[!] configuration: the last good one is in use: "),
	);
	assert.match(text, /ok\n$/);
	assert.equal((await server.ask("validate", reviewOf(boundEntry))).allowed, false);
	const metrics = await (await fetch(`${server.operations}/metrics`)).text();
	assert.match(metrics, /^waymark_config_reloads_total\{result="applied"\} 1$/m);
	assert.match(metrics, /^waymark_config_reloads_total\{result="failed"\} 1$/m);
	assert.equal((await server.end()).code, 0);
});

test("serve --world reports a file that kubectl could not read, an emptied one and a pipe, and lives on", async (context) => {
	const { cwd, world } = makeFolder(context);
	const server = await startServe(context, ["--world", world], { cwd });
	const read = () => ready(server, "?verbose");
	const isWell = ({ text }: { readonly text: string }): boolean => text.includes("[+] world: 3 objects");
	const bad = join(world, "bad.yaml");
	const team = join(world, "teams/team.yaml");
	for (const [text, reason] of [
		[
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: &s {self: *s}\n",
			/bad\.yaml:4: &s contains itself/,
		],
		[`kind: ${"[".repeat(100_000)}`, /bad\.yaml:1: /],
		["apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {b: off}}\n", /a text belongs here/],
	] as const) {
		writeFileSync(bad, text);
		const { text: told } = await eventually(read, (answer) => reason.test(answer.text));
		assert.match(told, /the last good one is in use/);
		rmSync(bad);
		await eventually(read, isWell);
	}
	writeFileSync(team, "");
	await eventually(read, ({ text }) => text.includes("has become empty"));
	assert.equal((await server.ask("validate", reviewOf(plainEntry))).allowed, false);
	write(team, teamNamespace);
	await eventually(read, isWell);
	execFileSync("mkfifo", [join(world, "pipe.yaml")]);
	await sleep(2_500);
	assert.equal((await server.ask("validate", reviewOf(plainEntry))).allowed, false);
	assert.equal((await server.end()).code, 0);
});

test("serve --world survives files that come and go while they are read", async (context) => {
	const { cwd, world } = makeFolder(context);
	const server = await startServe(context, ["--world", world], { cwd });
	const until = Date.now() + 3_000;
	for (let index = 0; Date.now() < until; index++) {
		const file = join(world, `come-${index % 40}.yaml`);
		write(file, teamNamespace);
		symlinkSync(file, join(world, `link-${index % 40}.yaml`));
		await sleep(1);
		rmSync(file);
		rmSync(join(world, `link-${index % 40}.yaml`));
	}
	await eventually(
		() => ready(server, "?verbose"),
		({ text }) => text.includes("[+] world: 3 objects"),
	);
	assert.equal((await server.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.equal((await server.end()).code, 0);
});

test("serve --config keeps what it has when the file becomes empty, is a pipe, or is half written", async (context) => {
	const { cwd, world } = makeFolder(context);
	const config = join(cwd, "waymark.yaml");
	const whole = "limits: {allowedPorts: [80]}\n";
	writeFileSync(config, whole);
	const server = await startServe(context, ["--world", world, "--config", config], { cwd });
	const isKept = async (): Promise<void> => {
		const { status } = await server.ask("validate", reviewOf(boundEntry));
		assert.match(status?.message ?? "", /^serviceentry-policy-port: /);
	};
	const told = (words: string) =>
		eventually(
			() => ready(server, "?verbose"),
			({ text }) => text.includes(words),
		);
	await isKept();
	writeFileSync(config, "");
	await told("it has become empty: write {} if the defaults are meant");
	await isKept();
	for (const nothing of ["# nothing\n---\n", "--- null # none\n"]) {
		writeFileSync(config, nothing);
		await sleep(2_500);
		await isKept();
	}
	writeFileSync(config, `${whole}# ${"x".repeat(1024 * 1024)}\n`);
	await told("it is larger than 1 MiB");
	await isKept();
	rmSync(config);
	await told("ENOENT");
	execFileSync("mkfifo", [config]);
	await told("it is no regular file");
	await isKept();
	rmSync(config);
	writeFileSync(config, whole);
	await told("[+] configuration: in use");
	await isKept();
	assert.equal((await server.end()).code, 0);
});

test("serve --config and --world refuse a pipe at the start instead of waiting for it", async (context) => {
	const { cwd, world } = makeFolder(context);
	const pipe = join(cwd, "pipe.yaml");
	execFileSync("mkfifo", [pipe]);
	for (const args of [
		["--world", world, "--config", pipe],
		["--world", pipe],
	]) {
		const { code, error } = await runScript("src/main.ts", ["serve", ...args], { cwd });
		assert.equal(code, 65, error);
		assert.match(error, /no regular file/);
	}
});

test("serve opens no debugger on SIGUSR1, and answers on", async (context) => {
	const { cwd, world } = makeFolder(context);
	const server = await startServe(context, ["--world", world], { cwd });
	process.kill(server.pid, "SIGUSR1");
	await sleep(500);
	assert.equal((await server.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.doesNotMatch(server.log(), /Debugger/);
	assert.equal((await server.end()).code, 0);
});

test("serve ends with 0 on SIGHUP, and on a signal that comes before it serves", async (context) => {
	const { cwd, world } = makeFolder(context);
	const server = await startServe(context, ["--world", world], { cwd });
	assert.equal((await server.end("SIGHUP")).code, 0);
	if (process.platform !== "linux") {
		return;
	}
	const child = spawn(process.execPath, [join(root, "src/main.ts"), "serve", "--world", world], {
		cwd,
		stdio: ["ignore", "pipe", "ignore"],
	});
	context.after(() => child.kill("SIGKILL"));
	let out = "";
	child.stdout.on("data", (text) => {
		out += text;
	});
	const exited = once(child, "exit");
	// Bit 0 of the caught signals is SIGHUP, for which Node.js has no handler of its own, as it has for SIGTERM.
	await until(
		"SIGHUP is caught",
		() => {
			const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
			return (BigInt(`0x${/^SigCgt:\s*(\w+)/m.exec(status)?.[1] ?? "0"}`) & 1n) !== 0n;
		},
		10_000,
	);
	child.kill("SIGTERM");
	assert.deepEqual(await exited, [0, null]);
	assert.equal(out, "");
});

test("serve says in one line which file it lacks", async (context) => {
	const { cwd, world } = makeFolder(context);
	const free = ["--listen", "127.0.0.1:0", "--operations", "127.0.0.1:0"];
	for (const args of [
		["--kubeconfig", "/nowhere"],
		["--world", world, "--certificates", "/nowhere"],
		["--world", world, "--client-ca", "/nowhere"],
	]) {
		const { error } = await runScript("src/main.ts", ["serve", ...free, ...args], {
			cwd,
			env: { WAYMARK_LOG_LEVEL: "fatal" },
		});
		assert.match(error, /^waymark: Cannot read [^\n]*\/nowhere[^\n]*\n$/);
	}
});

const wrongUsage: readonly (readonly [string, readonly string[], RegExp])[] = [
	["two worlds", ["--world", ".", "--kubeconfig", "x"], /--world and --kubeconfig exclude each other/],
	["an unknown option", ["--wrld", "."], /^waymark: [^\n]*--wrld[^\n]* --world\?\n$/],
	["an argument too many", ["examples"], /examples/],
	["an address without a port", ["--world", ".", "--listen", "localhost"], /--listen must be HOST:PORT/],
	[
		"a port that does not exist",
		["--world", ".", "--operations", "127.0.0.1:99999"],
		/--operations must be HOST:PORT/,
	],
	["own certificates without a cluster", ["--world", ".", "--certificates", "self"], /need a cluster/],
];

test("serve ends with 64 and its usage when it is called wrongly", async (context) => {
	const { cwd } = makeFolder(context);
	const all = await Promise.all(
		wrongUsage.map(([, args]) => runScript("src/main.ts", ["serve", ...args], { cwd })),
	);
	for (const [index, { code, out, error }] of all.entries()) {
		const [what, , message] = wrongUsage[index] ?? ["", [], /^$/];
		assert.equal(code, 64, `${what}: ${error}`);
		assert.match(error, message);
		// A mistyped flag needs no more than the right one.
		assert.equal(error.includes("Usage: waymark serve"), what !== "an unknown option", what);
		assert.equal(out, "");
	}
});

test("serve ends with 65 and the reason when its world or its configuration cannot be read", async (context) => {
	const { cwd, world } = makeFolder(context);
	const bad = join(cwd, "bad");
	mkdirSync(bad);
	writeFileSync(join(bad, "a.yaml"), "kind: Namespace\n  name: x\n");
	writeFileSync(join(cwd, "config.yaml"), "defaults: {mode: strict}\n");
	const cases: readonly (readonly [readonly string[], RegExp])[] = [
		[["--world", bad], /bad\/a\.yaml:\d+: /],
		[["--world", join(cwd, "nowhere")], /nowhere:1: no such file or directory/],
		[["--world", world, "--config", join(cwd, "config.yaml")], /defaults\.mode must be one of/],
		[["--world", world, "--config", join(cwd, "none.yaml")], /none\.yaml/],
		[["--world", world, "--certificates", join(cwd, "none")], /Cannot read the certificate .*none\/tls\.crt/],
		[[], /this is no pod/],
	];
	const free = ["--listen", "127.0.0.1:0", "--operations", "127.0.0.1:0"];
	const all = await Promise.all(
		cases.map(([args]) => runScript("src/main.ts", ["serve", ...free, ...args], { cwd })),
	);
	for (const [index, { code, error }] of all.entries()) {
		const message = cases[index]?.[1] ?? /^$/;
		assert.equal(code, 65, error);
		assert.match(error, message);
		assert.doesNotMatch(error, /^ {4}at /m);
	}
});

test("serve ends with 70 and a plain message when its port is taken", async (context) => {
	const { cwd, world } = makeFolder(context);
	const taken = createServer().listen(0, "127.0.0.1");
	await once(taken, "listening");
	context.after(() => taken.close());
	const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
	const free = "127.0.0.1:0";
	for (const [listen, operations, flag] of [
		[address, free, "--listen"],
		[free, address, "--operations"],
	] as const) {
		const args = ["serve", "--world", world, "--listen", listen, "--operations", operations];
		const { code, error } = await runScript("src/main.ts", args, { cwd });
		assert.equal(code, 70, error);
		assert.match(error, /^waymark: Cannot listen on 127\.0\.0\.1:\d+: something else does already/m);
		assert.ok(error.includes(`(${flag} HOST:PORT names another)`), error);
		assert.doesNotMatch(error, /^ {4}at /m);
	}
});

test("serve that finds its port taken leaves the CA of the server that runs in this folder alone", async (context) => {
	const { cwd } = makeFolder(context);
	cpSync(join(root, "examples"), join(cwd, "examples"), { recursive: true });
	const taken = createServer().listen(0, "127.0.0.1");
	context.after(() => taken.close());
	await once(taken, "listening");
	mkdirSync(join(cwd, ".waymark"));
	writeFileSync(join(cwd, ".waymark/ca.crt"), "another's");
	const { port } = taken.address() as AddressInfo;
	const args = [
		"serve",
		"--world",
		"examples/",
		"--listen",
		`127.0.0.1:${port}`,
		"--operations",
		"127.0.0.1:0",
	];
	const { code, error } = await runScript("src/main.ts", args, { cwd });
	assert.equal(code, 70, error);
	assert.equal(readFileSync(join(cwd, ".waymark/ca.crt"), "utf8"), "another's");
});

test("npm run try says in one line what is missing, by exit codes of its own", async (context) => {
	const { cwd, world } = makeFolder(context);
	const entry = join(root, "docs/try/plain-service-entry.yaml");
	writeFileSync(join(cwd, "ca.crt"), "");
	writeFileSync(join(cwd, "broken.yaml"), "a: [");
	writeFileSync(join(cwd, "other.yaml"), "apiVersion: v1\nkind: Secret\nmetadata: { name: a }\n");
	const mute = createServer((socket) => void socket.on("error", () => {}).end("hello")).listen(
		0,
		"127.0.0.1",
	);
	await once(mute, "listening");
	context.after(() => mute.close());
	const server = await startServe(context, ["--world", world], { cwd });
	const at = (url: string, caFile = server.caFile): readonly string[] => [
		entry,
		"--ca",
		caFile,
		"--url",
		url,
	];
	const { caFile: other } = await throwAwayCertificate({
		names: ["localhost"],
		directory: join(cwd, "other"),
	});
	const { port } = mute.address() as AddressInfo;
	for (const [args, code, words] of [
		[[], 64, /^Usage: /],
		[["--ulr", "x", entry], 64, /Unknown option '--ulr'/],
		[["broken.yaml"], 65, /^broken\.yaml:1: /],
		[["nowhere.yaml"], 65, /^nowhere\.yaml:1: no such file or directory$/m],
		[["other.yaml"], 65, /^Nothing was sent/],
		[
			at(server.url, "none.crt"),
			65,
			/^Cannot read the CA none\.crt: no such file or directory; npm start writes/,
		],
		[at(server.url, cwd), 65, /^Cannot read the CA .*: is a directory; /],
		[at(server.url, "ca.crt"), 65, /^Cannot use the CA ca\.crt: it holds no certificate in PEM$/m],
		[at(server.url, other ?? ""), 70, /^Cannot ask .*: its certificate is not signed by the CA in .*other/],
		[at("http://127.0.0.1:1"), 64, /^--url must begin with https:\/\//],
		[at("127.0.0.1:8443"), 64, /^--url must begin with https:\/\//],
		[
			at("https://127.0.0.1:1"),
			70,
			/^Cannot ask 127\.0\.0\.1:1: connection refused; npm start starts Waymark/,
		],
		[at(`https://127.0.0.1:${port}`), 70, /^Cannot ask .*: it does not speak TLS; --url names/],
		[at(`${server.url}/elsewhere`), 70, /^Cannot ask .*: HTTP 404 came, and no AdmissionReview; /],
		[at(`${server.url}/`), 0, /^$/],
		[["--help"], 0, /^$/],
	] as const) {
		const run = await runScript("scripts/try.ts", args, { cwd });
		assert.equal(run.code, code, run.error);
		assert.match(run.error, words);
		assert.doesNotMatch(run.error, /^ {4}at /m);
	}
});

test("npm start's world binds the first of docs/try, and refuses the second and the third", async (context) => {
	const { cwd } = makeFolder(context);
	cpSync(join(root, "examples"), join(cwd, "examples"), { recursive: true });
	const server = await startServe(context, ["--world", "examples/"], { cwd });
	await until(
		"the hints on what to try are printed",
		() => server.out().split("npm run -s try -- docs/try/").length === 1 + 3,
		5_000,
	);
	const attempt = (file: string) =>
		runScript("scripts/try.ts", [join(root, "docs/try", file), "--url", server.url, "--ca", server.caFile], {
			cwd,
		});
	const plain = await attempt("plain-service-entry.yaml");
	assert.equal(plain.code, 0, plain.out + plain.error);
	assert.match(
		plain.out,
		/istio\.io\/use-waypoint: egress\n\s+istio\.io\/use-waypoint-namespace: istio-egress\n/,
	);
	assert.match(plain.out, /^allowed$/m);
	const refused = await attempt("refused-by-policy.yaml");
	assert.equal(refused.code, 1, refused.out + refused.error);
	for (const rule of ["serviceentry-policy-host", "serviceentry-policy-port"]) {
		assert.match(refused.out, new RegExp(`${rule}: spec\\.`));
	}
	const bundle = await attempt("sidecar-bundle.yaml");
	assert.equal(bundle.code, 1, bundle.out + bundle.error);
	assert.equal(bundle.out.match(/^denied /gm)?.length, 3, bundle.out);
	assert.match(bundle.out, /egress-gatway/);
	assert.equal((await server.end()).code, 0);
});
