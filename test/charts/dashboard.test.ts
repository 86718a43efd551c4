import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { describe, it } from "node:test";
import { stringify } from "yaml";

interface Panel {
	readonly title: string;
	readonly type: string;
	readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
	readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const { panels } = JSON.parse(
	readFileSync(join(import.meta.dirname, "../../charts/waymark/dashboards/waymark.json"), "utf8"),
) as { readonly panels: readonly Panel[] };

/** Every expression as Grafana sends it while no host is chosen. */
const sent = panels.flatMap(({ title, targets }) =>
	(targets ?? []).map(({ expr, legendFormat }) => ({
		title,
		legend: legendFormat,
		expr: expr.replaceAll("$host", ".*").replaceAll("$__rate_interval", "5m"),
	})),
);

const ofAll = ["reporter", "source_workload", "source_workload_namespace", "destination_service"];
const more = ["destination_workload", "connection_security_policy", "response_flags"];

/** Istio's standard metrics that are asked for, and their labels (istio.io/latest/docs/reference/config/metrics). */
const istioMetrics: ReadonlyMap<string, readonly string[]> = new Map([
	["istio_requests_total", [...ofAll, ...more, "response_code"]],
	["istio_request_duration_milliseconds_bucket", [...ofAll, ...more, "response_code", "le"]],
	["istio_tcp_connections_opened_total", [...ofAll, ...more]],
	["istio_tcp_connections_closed_total", [...ofAll, ...more]],
	["istio_tcp_sent_bytes_total", [...ofAll, ...more]],
	["istio_tcp_received_bytes_total", [...ofAll, ...more]],
]);

/** Runs promtool on a file; undefined where it is not there, which is said. */
function promtool(context: TestContext, args: readonly string[], content: object): string | undefined {
	if (spawnSync("promtool", ["--version"]).error !== undefined) {
		context.skip("promtool is not there: Debian has it in the package prometheus");
		return undefined;
	}
	const folder = mkdtempSync(join(tmpdir(), "waymark-dashboard-"));
	try {
		const file = join(folder, "file.yaml");
		writeFileSync(file, stringify(content));
		const { status, stdout, stderr } = spawnSync("promtool", [...args, file], { encoding: "utf8" });
		assert.equal(status, 0, stdout + stderr);
		return stdout;
	} finally {
		rmSync(folder, { recursive: true });
	}
}

function exprOf(title: string): string {
	const [first] = sent.filter((each) => each.title === title);
	assert.ok(first !== undefined, title);
	return first.expr;
}

describe("the dashboard", () => {
	it("asks for metrics and labels that Istio has", () => {
		for (const { expr } of sent) {
			for (const [, name = "", matchers = ""] of expr.matchAll(/\b(istio_\w+)\{((?:[^}"]|"[^"]*")*)\}/g)) {
				const labels = istioMetrics.get(name);
				assert.ok(labels !== undefined, `${name} is not known: ${expr}`);
				const matched = [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label = ""]) => label);
				const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) =>
					list.split(/,\s*/),
				);
				assert.ok(matched.length > 0, expr);
				assert.deepEqual(
					[...matched, ...grouped].filter((label) => !labels.includes(label)),
					[],
					expr,
				);
			}
		}
		assert.ok(sent.filter(({ expr }) => expr.includes("istio_")).length >= 8);
	});

	it("names in each legend what its expression has", () => {
		for (const { expr, legend } of sent) {
			const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
			const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
			assert.deepEqual(
				shown.filter((label) => !grouped.includes(label)),
				[],
				`${legend}: ${expr}`,
			);
		}
	});

	it("puts no panel over another, and none beside the page", () => {
		const cells = new Set<string>();
		for (const { title, gridPos } of panels) {
			assert.ok(gridPos.x + gridPos.w <= 24, title);
			for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
				for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
					assert.ok(!cells.has(`${x} ${y}`), title);
					cells.add(`${x} ${y}`);
				}
			}
		}
	});

	it("has expressions that Prometheus reads", (context) => {
		const rules = sent.map(({ expr }, index) => ({ record: `panel:${index}`, expr }));
		promtool(context, ["check", "rules", "--lint=none"], { groups: [{ name: "panels", rules }] });
	});

	it("shows of recorded series what its titles say", (context) => {
		const http = (host: string, code: string, values: string): object => ({
			series: `istio_requests_total{reporter="waypoint",destination_service="${host}",response_code="${code}",response_flags="-"}`,
			values,
		});
		const labels = (host: string): string => `{destination_service="${host}"}`;
		promtool(context, ["test", "rules"], {
			rule_files: [],
			evaluation_interval: "1m",
			tests: [
				{
					interval: "1m",
					input_series: [
						http("down.example.com", "503", "0+60x20"),
						http("up.example.com", "200", "0+60x20"),
						http("half.example.com", "200", "0+30x20"),
						http("half.example.com", "500", "0+30x20"),
						http("shop.shop.svc.cluster.local", "500", "0+60x20"),
						{ series: 'waymark_audit_lost_waypoints{pod="a"}', values: "2x20" },
						{ series: 'waymark_audit_lost_waypoints{pod="b"}', values: "0x20" },
					],
					promql_expr_test: [
						{
							// A host of which every request fails has the rate 0, and is not left out.
							expr: exprOf("Success rate by external host"),
							eval_time: "15m",
							exp_samples: [
								{ labels: labels("down.example.com"), value: 0 },
								{ labels: labels("half.example.com"), value: 0.5 },
								{ labels: labels("up.example.com"), value: 1 },
							],
						},
						{
							expr: exprOf("Requests per second by external host"),
							eval_time: "15m",
							exp_samples: ["down", "half", "up"].map((host) => ({
								labels: labels(`${host}.example.com`),
								value: 1,
							})),
						},
						{
							expr: exprOf("Waypoints asked for in vain"),
							eval_time: "15m",
							exp_samples: [{ labels: "{}", value: 2 }],
						},
					],
				},
			],
		});
	});
});
