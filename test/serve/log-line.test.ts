import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatLine } from "../../src/serve/log-line.ts";

const time = "2026-06-01T12:30:05.123Z";

describe("formatLine()", () => {
	const cases: Readonly<Record<string, readonly [object, string]>> = {
		"a message with words": [
			{ level: "warn", time, msg: "memory is scarce", usedMegabytes: 210, webhook: "validate" },
			"12:30:05.123 WARN  memory is scarce  usedMegabytes=210 webhook=validate\n",
		],
		"a message alone": [{ level: "info", time, msg: "drained" }, "12:30:05.123 INFO  drained\n"],
		"values that are more than a word": [
			{ level: "info", time, msg: "x", reason: "no replica is ready", rules: ["a", "b"], dryRun: false },
			'12:30:05.123 INFO  x  reason="no replica is ready" rules=["a","b"] dryRun=false\n',
		],
		"a value that would forge a line or move the cursor": [
			{ level: "info", time, msg: "x", name: "a\n12:30 INFO  forged\u001b[2J\u202e" },
			'12:30:05.123 INFO  x  name="a\\n12:30 INFO  forged\\u001b[2J\u{FFFD}"\n',
		],
		"a fault with its stack": [
			{
				level: "error",
				time,
				msg: "rule failed",
				rule: "r",
				err: { message: "no", stack: "Error: no\n    at f" },
			},
			"12:30:05.123 ERROR rule failed  rule=r\n    Error: no\n        at f\n",
		],
	};
	for (const [what, [fields, expected]] of Object.entries(cases)) {
		it(`writes ${what} for people`, () => {
			assert.equal(formatLine(`${JSON.stringify(fields)}\n`), expected);
		});
	}

	it("leaves what is no JSON as it is", () => {
		assert.equal(formatLine("plain\n"), "plain\n");
	});
});
