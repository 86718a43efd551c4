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
