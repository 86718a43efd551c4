import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { parse } from "yaml";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

interface Metric {
	readonly name: string;
	readonly type: string;
	readonly labels: readonly string[];
}

/** Every metric that the code makes, wherever it is registered. */
function metricsOfCode(): readonly Metric[] {
	return globSync("src/**/*.ts", { cwd: root }).flatMap((file) =>
		[...read(file).matchAll(/new (Counter|Gauge|Histogram|Summary)(?:<[^>]*>)?\(\{([^}]*?)registers/gs)].map(
			([, type = "", body = ""]) => ({
				name: /name: "([^"]+)"/.exec(body)?.[1] ?? "",
				type: type.toLowerCase(),
				labels: [...(/labelNames: \[([^\]]*)\]/.exec(body)?.[1] ?? "").matchAll(/"(\w+)"/g)].map(
					([, label = ""]) => label,
				),
			}),
		),
	);
}

function metricsOfDocs(): readonly Metric[] {
	return read("docs/metrics.md")
		.split("\n")
		.filter((line) => line.startsWith("| `waymark_"))
		.map((line) => {
			const [, name = "", type = "", labels = ""] = line.split("|").map((cell) => cell.trim());
			return {
				name: name.replaceAll("`", ""),
				type,
				labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = ""]) => label),
			};
		});
}

const byName = (one: Metric, other: Metric): number => (one.name < other.name ? -1 : 1);

it("docs/metrics.md has the metrics of the code, each with its type and labels, and no other", () => {
	const code = metricsOfCode();
	assert.ok(code.length >= 12, "the search for metrics in the code finds none");
	assert.equal(
		globSync("src/**/*.ts", { cwd: root }).flatMap((file) => [...read(file).matchAll(/name: "waymark_/g)])
			.length,
		code.length,
		"the search for metrics in the code misses some",
	);
	assert.deepEqual(metricsOfDocs().toSorted(byName), code.toSorted(byName));
});

it("the metrics are named as Prometheus wants it", () => {
	for (const { name, type } of metricsOfCode()) {
		assert.match(name, /^waymark_[a-z_]+$/);
		assert.equal(name.endsWith("_total"), type === "counter", name);
		assert.notEqual(type, "summary", "a summary cannot be added up over replicas");
	}
});

it("the alerts and the dashboard ask for metrics and labels that exist", () => {
	const known = new Map(metricsOfCode().map((metric) => [metric.name, metric]));
	const alerts = parse(read("charts/waymark/alerts.yaml")) as {
		readonly groups: readonly {
			readonly rules: readonly { readonly alert: string; readonly expr: string }[];
		}[];
	};
	const dashboard = JSON.parse(read("charts/waymark/dashboards/waymark.json")) as {
		readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
	};
	const expressions = [
		...alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
		...dashboard.panels.flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr)),
	];
	assert.ok(expressions.length > 15);
	for (const expr of expressions) {
		for (const [name] of expr.matchAll(/\bwaymark_\w+/g)) {
			const metric = known.get(name) ?? known.get(name.replace(/_(bucket|count|sum)$/, ""));
			assert.ok(metric !== undefined, `${name} does not exist: ${expr}`);
			const isPart = metric.name !== name;
			assert.equal(metric.type === "histogram", isPart, `${name} must be asked for by its parts: ${expr}`);
			const asked = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
			const given = new Set([...metric.labels, "le", "pod"]);
			assert.deepEqual(
				asked.filter((label) => !given.has(label)),
				[],
				expr,
			);
		}
	}
});

it("every alert is explained in docs/troubleshooting.md", () => {
	const text = read("docs/troubleshooting.md");
	for (const [, alert = ""] of read("charts/waymark/alerts.yaml").matchAll(/- alert: (\w+)/g)) {
		assert.ok(text.includes(alert), alert);
	}
});
