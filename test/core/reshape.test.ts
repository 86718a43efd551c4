import assert from "node:assert/strict";
import { it } from "node:test";
import { reshape } from "../../src/core/reshape.ts";
import type { AnyShape } from "../../src/core/shape.ts";

const shape: AnyShape = {
	fields: {
		name: "string",
		port: "number",
		open: "boolean",
		hosts: { list: "string" },
		servers: { list: { fields: { port: "number" } } },
		labels: { map: "string" },
	},
};

it("reshape leaves alone what has the shape, with fields that the shape does not name", () => {
	const value = { name: "a", port: 1, hosts: ["b"], labels: { c: "d" }, other: [{ deep: true }] };
	assert.deepEqual(reshape(value, shape), { value, faults: [] });
});

it("reshape reads quoted numbers, bare texts and single values as they were meant, and tells of each", () => {
	const { value, faults } = reshape(
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

it("reshape leaves out what nobody can read and keeps the places of a list", () => {
	const { value, faults } = reshape(
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

it("reshape drops nulls, which count as absent, without a word", () => {
	assert.deepEqual(reshape({ name: null, hosts: null }, shape), { value: {}, faults: [] });
});
