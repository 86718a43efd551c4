import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { followDirectory } from "../../src/manifests/follow-directory.ts";
import { readManifests } from "../../src/manifests/read.ts";
import { temporaryFolder } from "../support/run-verb.ts";
import { until } from "../support/until.ts";

const folder = temporaryFolder();

function entry(name: string): string {
	return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec: {hosts: [${name}.example.com], resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]}
`;
}

function makeWorld(name: string, count: number): string {
	const directory = join(folder.path, name);
	mkdirSync(directory);
	for (let index = 0; index < count; index++) {
		writeFileSync(join(directory, `e${index}.yaml`), entry(`e${index}`));
	}
	return directory;
}

test("followDirectory looks at 3,000 unchanged files for a small part of what reading them costs", async (context) => {
	const directory = makeWorld("many", 3_000);
	const world = await followDirectory(directory, () => {});
	context.after(() => world.stop());
	assert.equal(world.status().objects, 3_000);
	const cpu = (): number => process.cpuUsage().user + process.cpuUsage().system;
	const before = cpu();
	readManifests([directory]);
	const reading = cpu() - before;
	await sleep(500);
	const quiet = cpu();
	await sleep(4_200);
	const share = (cpu() - quiet) / 4_200_000;
	// At the time of the first version every two seconds cost a whole reading.
	assert.ok(
		(cpu() - quiet) / 2 < reading / 4,
		`${cpu() - quiet} µs in 4.2 s, and ${reading} µs for a reading`,
	);
	assert.ok(share < 0.08, `${share} of a core`);
});

test("followDirectory reads the one file that changed, and answers others meanwhile", async (context) => {
	const directory = makeWorld("one", 1_000);
	const world = await followDirectory(directory, () => {});
	context.after(() => world.stop());
	let longest = 0;
	let last = performance.now();
	const ticking = setInterval(() => {
		longest = Math.max(longest, performance.now() - last);
		last = performance.now();
	}, 5);
	context.after(() => clearInterval(ticking));
	writeFileSync(join(directory, "new.yaml"), entry("new"));
	await until("the new file is in the world", () => world.status().objects === 1_001, 10_000);
	clearInterval(ticking);
	assert.ok(longest < 500, `the loop stood still for ${longest} ms`);
	assert.notEqual(world.state.get("ServiceEntry", "shop", "new"), undefined);
});

test("followDirectory takes a file only when two looks found the same", async (context) => {
	const directory = makeWorld("slow", 1);
	const seen: number[] = [];
	const world = await followDirectory(directory, ({ objects }) => seen.push(objects));
	context.after(() => world.stop());
	const file = join(directory, "grown.yaml");
	// Written in steps of which each is a whole document: none but the last may be seen.
	for (let index = 0; index < 40; index++) {
		appendFileSync(file, `---\n${entry(`step${index}`)}`);
		await sleep(20);
	}
	await until("the whole file is in the world", () => world.status().objects === 41, 10_000);
	assert.deepEqual(seen, [1, 41]);
});

/** The longest time that the loop stood still while something was done, in milliseconds. */
async function longestPause(work: () => Promise<void>): Promise<number> {
	let longest = 0;
	let last = performance.now();
	const timer = setInterval(() => {
		longest = Math.max(longest, performance.now() - last);
		last = performance.now();
	}, 5);
	await work();
	clearInterval(timer);
	return Math.max(longest, performance.now() - last);
}

const large = 3_000;

for (const [form, write] of [
	["documents", (names: readonly string[]) => names.map(entry).join("---\n")],
	[
		"items of one List",
		(names: readonly string[]) =>
			`apiVersion: v1\nkind: List\nitems:\n${names.map((name) => `- ${entry(name).trimEnd().replaceAll("\n", "\n  ")}\n`).join("")}`,
	],
] as const) {
	test(`followDirectory answers others while it reads a changed file of ${large} ${form}`, async (context) => {
		const directory = makeWorld(`large-${form.slice(0, 5)}`, 1);
		const world = await followDirectory(directory, () => {});
		context.after(() => world.stop());
		const text = write(Array.from({ length: large }, (_, index) => `large${index}`));
		writeFileSync(join(folder.path, "alone.yaml"), text);
		const before = performance.now();
		readManifests([join(folder.path, "alone.yaml")]);
		const reading = performance.now() - before;
		const longest = await longestPause(async () => {
			writeFileSync(join(directory, "large.yaml"), text);
			await until("the large file is in the world", () => world.status().objects === large + 1, 60_000);
		});
		assert.ok(longest < reading / 4, `${longest} ms, and ${reading} ms for a reading`);
		assert.notEqual(world.state.get("ServiceEntry", "shop", `large${large - 1}`), undefined);
	});
}

test("followDirectory names what is wrong in a large file by its line, and keeps the last good world", async (context) => {
	const directory = makeWorld("large-wrong", 1);
	const world = await followDirectory(directory, () => {});
	context.after(() => world.stop());
	const text = Array.from({ length: 500 }, (_, index) => entry(`large${index}`)).join("---\n");
	writeFileSync(
		join(directory, "large.yaml"),
		`${text}---\n${entry("wrong").replace("[wrong.example.com]", "wrong.example.com")}`,
	);
	await until("the problem is told", () => world.status().problems.length > 0, 30_000);
	const [problem] = world.status().problems;
	assert.match(problem ?? "", /large\.yaml:2504: spec\.hosts: a list belongs here/);
	assert.equal(world.status().objects, 1);
	writeFileSync(join(directory, "large.yaml"), text);
	await until("the fixed file is in the world", () => world.status().objects === 501, 30_000);
});

test("followDirectory stops while it reads a large file", async () => {
	const directory = makeWorld("large-stop", 1);
	const world = await followDirectory(directory, () => {});
	const names = Array.from({ length: 20_000 }, (_, index) => `large${index}`);
	writeFileSync(join(directory, "large.yaml"), names.map(entry).join("---\n"));
	// Two looks and the beginning of a reading.
	await sleep(600);
	const started = performance.now();
	await world.stop();
	assert.ok(performance.now() - started < 2_000, `${performance.now() - started} ms`);
	assert.equal(world.status().objects, 1);
	assert.deepEqual(world.status().problems, []);
});
