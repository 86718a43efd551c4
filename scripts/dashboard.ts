interface Target {
	readonly expr: string;
	readonly legend: string;
}

interface Panel {
	readonly title: string;
	readonly unit: string;
	readonly description?: string;
	readonly targets: readonly Target[];
}

// What leaves the mesh through a waypoint is reported by the waypoint: the destination is the host of the ServiceEntry.
const waypoint = 'reporter="waypoint",destination_service=~"$host"';

const rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
	{
		title: "Egress through the waypoint",
		panels: [
			{
				title: "Requests per second by external host",
				unit: "reqps",
				targets: [
					{
						expr: `sum by (destination_service) (rate(istio_requests_total{${waypoint}}[$__rate_interval]))`,
						legend: "{{destination_service}}",
					},
				],
			},
			{
				title: "P99 latency by external host",
				unit: "ms",
				targets: [
					{
						expr: `histogram_quantile(0.99, sum by (le, destination_service) (rate(istio_request_duration_milliseconds_bucket{${waypoint}}[$__rate_interval])))`,
						legend: "{{destination_service}}",
					},
				],
			},
			{
				title: "Success rate by external host",
				unit: "percentunit",
				description: "Share of requests that were not answered with 5xx",
				targets: [
					{
						expr: `sum by (destination_service) (rate(istio_requests_total{${waypoint},response_code!~"5.."}[$__rate_interval])) / sum by (destination_service) (rate(istio_requests_total{${waypoint}}[$__rate_interval]))`,
						legend: "{{destination_service}}",
					},
				],
			},
			{
				title: "Requests per second by source",
				unit: "reqps",
				targets: [
					{
						expr: `topk(10, sum by (source_workload_namespace, source_workload) (rate(istio_requests_total{${waypoint}}[$__rate_interval])))`,
						legend: "{{source_workload_namespace}}/{{source_workload}}",
					},
				],
			},
		],
	},
	{
		title: "Admission",
		panels: [
			{
				title: "Reviews per second",
				unit: "reqps",
				targets: [
					{
						expr: "sum by (webhook, decision) (rate(waymark_admission_duration_seconds_count[$__rate_interval]))",
						legend: "{{webhook}} {{decision}}",
					},
				],
			},
			{
				title: "Time to answer",
				unit: "s",
				targets: ["0.5", "0.99"].map((quantile) => ({
					expr: `histogram_quantile(${quantile}, sum by (le, webhook) (rate(waymark_admission_duration_seconds_bucket[$__rate_interval])))`,
					legend: `{{webhook}} p${Number(quantile) * 100}`,
				})),
			},
			{
				title: "Findings by rule",
				unit: "short",
				targets: [
					{
						expr: "topk(10, sum by (rule, severity, mode) (increase(waymark_findings_total[$__range])))",
						legend: "{{rule}} {{severity}} ({{mode}})",
					},
				],
			},
			{
				title: "Failed calls, as the API server counts them",
				unit: "short",
				description: "Fail open: let past unjudged. Refused: turned away because Waymark could not be called",
				targets: [
					{
						expr: 'sum by (name) (increase(apiserver_admission_webhook_fail_open_count{name=~".*waymark.dev"}[$__rate_interval]))',
						legend: "fail open {{name}}",
					},
					{
						expr: 'sum by (name) (increase(apiserver_admission_webhook_rejection_count{name=~".*waymark.dev",error_type="calling_webhook_error"}[$__rate_interval]))',
						legend: "refused {{name}}",
					},
				],
			},
		],
	},
	{
		title: "Replicas",
		panels: [
			{
				title: "Staleness of the world",
				unit: "s",
				targets: [{ expr: "max by (pod) (waymark_feed_stale_seconds)", legend: "{{pod}}" }],
			},
			{
				title: "Objects in the world",
				unit: "short",
				targets: [{ expr: "max by (kind) (waymark_feed_objects)", legend: "{{kind}}" }],
			},
			{
				title: "Watches opened again",
				unit: "short",
				targets: [
					{
						expr: "sum by (kind, reason) (increase(waymark_feed_restarts_total[$__rate_interval]))",
						legend: "{{kind}} {{reason}}",
					},
				],
			},
			{
				title: "Days until the certificate ends",
				unit: "d",
				targets: [
					{
						expr: "(min by (pod) (waymark_certificate_expiry_timestamp_seconds) - time()) / 86400",
						legend: "{{pod}}",
					},
				],
			},
			{
				title: "Turned away with Retry-After",
				unit: "reqps",
				targets: [
					{
						expr: "sum by (reason) (rate(waymark_http_turned_away_total[$__rate_interval]))",
						legend: "{{reason}}",
					},
				],
			},
			{
				title: "Reviews being answered, and what was no review",
				unit: "short",
				targets: [
					{ expr: "sum by (pod) (waymark_admission_in_flight)", legend: "in flight {{pod}}" },
					{
						expr: "sum by (code) (increase(waymark_http_rejected_total[$__rate_interval]))",
						legend: "rejected {{code}}",
					},
				],
			},
		],
	},
];

const source = { type: "prometheus", uid: "${datasource}" };

/** The Grafana dashboard: egress through waypoints from Istio's standard metrics, and Waymark's own. */
export function renderDashboard(): string {
	let id = 0;
	let y = 0;
	const panels = rows.flatMap((row) => {
		id += 1;
		const header = {
			id,
			type: "row",
			title: row.title,
			collapsed: false,
			gridPos: { h: 1, w: 24, x: 0, y },
			panels: [],
		};
		const below = row.panels.map((panel, index) => {
			id += 1;
			return {
				id,
				type: "timeseries",
				title: panel.title,
				...(panel.description === undefined ? {} : { description: panel.description }),
				datasource: source,
				gridPos: { h: 8, w: 12, x: (index % 2) * 12, y: y + 1 + Math.floor(index / 2) * 8 },
				fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
				options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
				targets: panel.targets.map(({ expr, legend }, at) => ({
					refId: String.fromCharCode(65 + at),
					datasource: source,
					expr,
					legendFormat: legend,
				})),
			};
		});
		y += 1 + Math.ceil(row.panels.length / 2) * 8;
		return [header, ...below];
	});
	const dashboard = {
		uid: "waymark",
		title: "Waymark: egress and admission",
		tags: ["istio", "egress", "waymark"],
		schemaVersion: 39,
		version: 1,
		editable: true,
		time: { from: "now-1h", to: "now" },
		refresh: "30s",
		templating: {
			list: [
				{ name: "datasource", type: "datasource", query: "prometheus", label: "Data source" },
				{
					name: "host",
					type: "query",
					label: "External host",
					datasource: source,
					query: 'label_values(istio_requests_total{reporter="waypoint"}, destination_service)',
					includeAll: true,
					allValue: ".*",
					multi: true,
					current: { text: "All", value: "$__all" },
					refresh: 2,
				},
			],
		},
		panels,
	};
	return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}
