import assert from "node:assert/strict";
import { it } from "node:test";
import { coerce } from "../../src/core/coerce.ts";
import type { Shape } from "../../src/core/shape.ts";

const shape: Shape = {
	fields: {
		name: "string",
		port: "number",
		open: "boolean",
		hosts: { list: "string" },
		servers: { list: { fields: { port: "number" } } },
		labels: { map: "string" },
	},
};

it("coerce leaves alone what has the shape, with fields that the shape does not name", () => {
	const value = { name: "a", port: 1, hosts: ["b"], labels: { c: "d" }, other: [{ deep: true }] };
	assert.deepEqual(coerce(value, shape), { value, faults: [] });
});

it("coerce reads quoted numbers, bare texts and single values as they were meant, and tells of each", () => {
	const { value, faults } = coerce(
		{ name: 7, port: "443", hosts: "a.example", servers: [{ port: "80" }], labels: { version: 2 } },
		shape,
	);
	assert.deepEqual(value, {
		name: "7",
		port: 443,
		hosts: ["a.example"],
		servers: [{ port: 80 }],
		labels: { version: "2" },
	});
	assert.deepEqual(
		faults.map(({ path, expected }) => `${path.join(".")} ${expected}`),
		["name string", "port number", "hosts list", "servers.0.port number", "labels.version string"],
	);
});

it("coerce leaves out what nobody can read and keeps the places of a list", () => {
	const { value, faults } = coerce(
		{
			name: { "{ .Values.name }": null },
			open: "yes",
			hosts: [{}, "b.example"],
			servers: [null, { port: 1 }],
		},
		shape,
	);
	assert.deepEqual(value, { hosts: ["", "b.example"], servers: [{}, { port: 1 }] });
	assert.equal(faults.length, 4);
});

it("coerce drops nulls, which count as absent, without a word", () => {
	assert.deepEqual(coerce({ name: null, hosts: null }, shape), { value: {}, faults: [] });
});
