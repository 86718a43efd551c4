import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";

const alertsFile = join(import.meta.dirname, "../../charts/waymark/alerts.yaml");
const testsFile = join(import.meta.dirname, "alerts.promtool.yaml");
const dashboardFile = join(import.meta.dirname, "../../charts/waymark/dashboards/waymark.json");

interface Alerts {
	readonly groups: readonly {
		readonly name: string;
		readonly rules: readonly {
			readonly alert: string;
			readonly expr: string;
			readonly for?: string;
			readonly labels: { readonly severity: string };
			readonly annotations: { readonly summary: string; readonly description: string };
		}[];
	}[];
}

const alerts = parse(readFileSync(alertsFile, "utf8")) as Alerts;

test("every alert has an expression, a severity, a summary and a description, and a name of its own", () => {
	const names = alerts.groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
	assert.equal(new Set(names).size, names.length);
	for (const rule of alerts.groups.flatMap(({ rules }) => rules)) {
		assert.match(rule.alert, /^Waymark[A-Z][A-Za-z]+$/);
		assert.notEqual(rule.expr.trim(), "", rule.alert);
		assert.match(rule.labels.severity, /^(?:critical|warning|info)$/, rule.alert);
		assert.match(rule.for ?? "1m", /^\d+m$/, rule.alert);
		for (const text of [rule.annotations.summary, rule.annotations.description]) {
			assert.match(text, /\S/, rule.alert);
		}
	}
});

test("every alert about egress is held by promtool's tests, quiet and firing", () => {
	const held = parse(readFileSync(testsFile, "utf8")) as {
		readonly tests: readonly {
			readonly alert_rule_test: readonly {
				readonly alertname: string;
				readonly exp_alerts: readonly object[];
			}[];
		}[];
	};
	const firing = new Set(
		held.tests.flatMap((each) =>
			each.alert_rule_test
				.filter(({ exp_alerts }) => exp_alerts.length > 0)
				.map(({ alertname }) => alertname),
		),
	);
	for (const { alert } of alerts.groups.find(({ name }) => name === "waymark-egress")?.rules ?? []) {
		assert.ok(firing.has(alert), alert);
	}
});

test("the alerts fire and keep quiet as promtool test rules says", (context) => {
	const isThere = spawnSync("promtool", ["--version"]).error === undefined;
	if (!isThere) {
		context.skip("promtool is not there: Debian has it in the package prometheus");
		return;
	}
	const folder = mkdtempSync(join(tmpdir(), "waymark-alerts-"));
	try {
		copyFileSync(alertsFile, join(folder, "alerts.yaml"));
		copyFileSync(testsFile, join(folder, "tests.yaml"));
		const check = spawnSync("promtool", ["check", "rules", join(folder, "alerts.yaml")], {
			encoding: "utf8",
		});
		assert.equal(check.status, 0, check.stdout + check.stderr);
		const run = spawnSync("promtool", ["test", "rules", join(folder, "tests.yaml")], { encoding: "utf8" });
		assert.equal(run.status, 0, run.stdout + run.stderr);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("every panel of the dashboard says what it shows, and every single figure has thresholds", () => {
	const { panels } = JSON.parse(readFileSync(dashboardFile, "utf8")) as {
		readonly panels: readonly {
			readonly type: string;
			readonly title: string;
			readonly description?: string;
			readonly fieldConfig?: {
				readonly defaults: { readonly thresholds?: { readonly steps: readonly object[] } };
			};
		}[];
	};
	const shown = panels.filter(({ type }) => type !== "row");
	assert.ok(shown.some(({ type }) => type === "stat"));
	for (const { type, title, description, fieldConfig } of shown) {
		assert.match(description ?? "", /\S/, title);
		assert.ok(type !== "stat" || (fieldConfig?.defaults.thresholds?.steps.length ?? 0) > 1, title);
	}
});
