import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LineCounter } from "yaml";
import { parseJsonStream } from "../../src/manifests/json-stream.ts";
import { parseManifests } from "../../src/manifests/read.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const root = join(import.meta.dirname, "../..");
const one = '{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"a}{"}}';
const two = '{"kind":"Namespace",\n"apiVersion":"v1",\n"metadata":{"name":"b"}}';

describe("parseJsonStream()", () => {
	it("is only for several objects of JSON", () => {
		for (const text of [
			"",
			one,
			`[${one},${two}]`,
			`${one}\n---\n${two}`,
			`${one},${two}`,
			`${one}\n{"kind":`,
			`${one}\n{"kind":"A}`,
			"kind: A\nb: {}\n",
			"{} {} # of another kind",
		]) {
			assert.equal(parseJsonStream(text, new LineCounter()), undefined, text);
		}
	});

	it("takes time in the length of the text", () => {
		const text = `${one}\n`.repeat(20_000);
		const before = process.threadCpuUsage();
		assert.equal(parseJsonStream(`${text}x`, new LineCounter()), undefined);
		const { user, system } = process.threadCpuUsage(before);
		assert.ok(user + system < 3_000_000, `${user + system} µs`);
	});
});

describe("parseManifests() of several objects of JSON", () => {
	it("reads each, with its places in the whole", () => {
		for (const between of ["\n", "", " ", "\n\n"]) {
			const { manifests, unreadable } = parseManifests(`${one}${between}${two}\n`, "a.json");
			assert.deepEqual(unreadable, []);
			assert.deepEqual(
				manifests.map(({ object }) => object.metadata?.name),
				["a}{", "b"],
			);
			const lines = between.split("\n").length;
			assert.deepEqual(
				manifests.map((each) => each.position(["metadata", "name"]).line),
				[1, lines + 2],
			);
		}
	});

	it("names what is there twice at its line", () => {
		const { unreadable } = parseManifests(`${one}\n\n${two.replace('"apiVersion"', '"kind"')}`, "a.json");
		assert.deepEqual(
			unreadable.map(({ line, message }) => [line, message]),
			[[4, "Map keys must be unique"]],
		);
	});

	it("is what lint --fix writes back, each object in its place", async () => {
		const objects = ["examples/istio-egress.yaml", "examples/shop.yaml", "docs/try/plain-service-entry.yaml"]
			.flatMap((path) => parseManifests(readFileSync(join(root, path), "utf8"), path).manifests)
			.map(({ object }) => object);
		const written = objects.map((object) => JSON.stringify(object, undefined, 1)).join("\n");
		const file = folder.write("stream.json", written);
		const { code, error } = await runVerb("lint", "--fix", file);
		assert.equal(code, 0, error);
		const fixed = parseManifests(readFileSync(file, "utf8"), file).manifests.map(({ object }) => object);
		const labels = { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" };
		const last = objects.at(-1);
		assert.deepEqual(fixed, [...objects.slice(0, -1), { ...last, metadata: { ...last?.metadata, labels } }]);
	});
});
