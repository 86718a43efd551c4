import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, readSettings } from "../../src/settings/read.ts";

function problemsOf(text: string): readonly string[] {
	try {
		readSettings(text, "waymark.yaml", new Set(["serviceentry-host-name"]));
		return [];
	} catch (error) {
		assert.ok(error instanceof ConfigError);
		return error.problems;
	}
}

describe("readSettings()", () => {
	it("says everything that is wrong in one pass, of whatever sort it is", () => {
		const text = [
			"default: {}",
			"defaults: { mode: loud, waypoint: a/b/c, allowedHosts: [1, 'a b', ok.example, '*'] }",
			"limits: { wildcardMinimumLabels: many, allowedPorts: [70000] }",
			"severities: { no-such-rule: error, serviceentry-host-name: awful }",
			"istioVersion: '2.0'",
		].join("\n");
		assert.deepEqual(
			problemsOf(text)
				.map((each) => each.split(" ")[0])
				.toSorted(),
			[
				...["the", "defaults.mode", "defaults.allowedHosts[0]", "limits.wildcardMinimumLabels"],
				...["istioVersion", "severities.serviceentry-host-name"],
				...[
					"defaults.waypoint",
					"defaults.allowedHosts[1]",
					"defaults.allowedHosts[3]",
					"limits.allowedPorts[0]",
				],
				"severities.no-such-rule",
			].toSorted(),
			problemsOf(text).join("\n"),
		);
	});

	it("says what is there twice beside all else, and of several documents that there is one, in a line each", () => {
		for (const [text, problems] of [
			[
				"defaults: {mode: warn, mode: enforce}\nfoo: 1\n",
				["Map keys must be unique at line 1, column 24", 'the configuration has no field "foo"'],
			],
			["reach: report\n---\nreach: off\n", ["it holds several documents, and a configuration is one"]],
		] as const) {
			assert.deepEqual(problemsOf(text), problems);
		}
	});

	it("says which field was probably meant", () => {
		assert.deepEqual(problemsOf("limits: { alowedHosts: [] }\nzzz: 1"), [
			'the configuration has no field "zzz"',
			'limits has no field "alowedHosts"; did you mean "allowedHosts"?',
		]);
	});

	it("says all that makes a text no YAML, and that a configuration is no map", () => {
		assert.ok(problemsOf("a: [\nb: 'x").length > 1);
		assert.deepEqual(problemsOf("[]"), ["the configuration must be object"]);
	});
});
