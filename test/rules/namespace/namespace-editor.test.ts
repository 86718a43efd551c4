import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namespaceEditor as rule } from "../../../src/rules/namespace/namespace-editor.ts";
import { message, places, team } from "../../support/team.ts";

const settings = { policyEditors: { users: ["alice"], groups: ["security"] } };
const mallory = { username: "mallory", groups: ["developers", "system:authenticated"] };
const mode = 'error metadata.annotations["egress.waymark.dev/mode"]';

describe("namespace-editor", () => {
	for (const [change, before, after] of [
		["add", {}, { mode: "off" }],
		["change", { mode: "enforce" }, { mode: "off" }],
		["remove", { mode: "enforce" }, {}],
	] as const) {
		it(`namespace-editor refuses that others ${change} an annotation`, () => {
			const circumstances = { settings, old: team(before), requester: mallory };
			assert.deepEqual(places(rule, team(after), circumstances), [mode]);
			assert.equal(
				message(rule, team(after), circumstances),
				`User "mallory" is no policy editor and may not ${change} it`,
			);
		});
	}

	it("namespace-editor refuses annotations on a namespace that others create", () => {
		assert.deepEqual(places(rule, team({ mode: "off" }), { settings, requester: mallory }), [mode]);
	});

	it("namespace-editor sees null annotations as removed ones", () => {
		const stripped = { ...team(), metadata: { name: "team", annotations: null } };
		assert.deepEqual(places(rule, stripped, { settings, old: team({ mode: "warn" }), requester: mallory }), [
			mode,
		]);
	});

	it("namespace-editor lets named users and members of named groups write them", () => {
		const old = team({ mode: "enforce" });
		for (const requester of [
			{ username: "alice", groups: [] },
			{ username: "bob", groups: ["x", "security"] },
		]) {
			assert.deepEqual(places(rule, team({ mode: "off" }), { settings, old, requester }), []);
		}
	});

	it("namespace-editor does not take a group for a user or a user for a group", () => {
		const old = team({});
		for (const requester of [
			{ username: "security", groups: [] },
			{ username: "eve", groups: ["alice"] },
		]) {
			assert.deepEqual(places(rule, team({ mode: "off" }), { settings, old, requester }), [mode]);
		}
	});

	it("namespace-editor lets anybody keep them while other fields change", () => {
		const old = team({ mode: "enforce" });
		const relabelled = team({ mode: "enforce" }, { owner: "mallory" });
		assert.deepEqual(places(rule, relabelled, { settings, old, requester: mallory }), []);
	});

	it("namespace-editor lets nobody else in where the configuration names nobody at all", () => {
		const circumstances = { old: team({}), requester: mallory };
		assert.deepEqual(
			places(rule, team({ mode: "off" }), { ...circumstances, settings: { policyEditors: {} } }),
			[mode],
		);
		assert.deepEqual(places(rule, team({ mode: "off" }), circumstances), []);
	});

	it("namespace-editor is silent outside admission, where nobody asks", () => {
		assert.deepEqual(places(rule, team({ mode: "off" }), { settings, old: team({}) }), []);
	});
});
