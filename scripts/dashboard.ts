interface Target {
	readonly expr: string;
	readonly legend: string;
}

interface Panel {
	readonly title: string;
	readonly unit: string;
	/** The most that there can be. */
	readonly max?: number;
	readonly description: string;
	readonly targets: readonly Target[];
	/** One figure instead of a curve, red or green from a value on. */
	readonly stat?: readonly { readonly color: "green" | "orange" | "red"; readonly value: number | null }[];
}

const goodAtZero: Panel["stat"] = [
	{ color: "green", value: null },
	{ color: "red", value: 1 },
];
const badBelowOne: Panel["stat"] = [
	{ color: "red", value: null },
	{ color: "green", value: 1 },
];

// Hosts of the cluster have names below svc; unknown is what no entry names.
const outside = 'destination_service!~"unknown|.*[.]svc[.].*"';
const tcp = `reporter="waypoint",destination_service=~"$host",${outside}`;

// What leaves the mesh through a waypoint is reported by the waypoint: the destination is the host of the ServiceEntry.
const waypoint = `reporter="waypoint",destination_service=~"$host",${outside}`;

// Written past HBONE by the ztunnel of the client: no waypoint was on the way.
const past = 'reporter="source",connection_security_policy="unknown",destination_workload="unknown"';

const rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
	{
		title: "At a glance",
		panels: [
			{
				title: "Hosts governed",
				unit: "short",
				description: "External hosts whose connections go through a waypoint, as the auditor sees them",
				stat: badBelowOne,
				targets: [{ expr: 'max(waymark_audit_hosts{state="governed"})', legend: "governed" }],
			},
			{
				title: "Hosts reached directly",
				unit: "short",
				description: "External hosts of ServiceEntries whose connections go past every waypoint",
				stat: goodAtZero,
				targets: [{ expr: 'max(waymark_audit_hosts{state="direct"})', legend: "direct" }],
			},
			{
				title: "Waypoints asked for in vain",
				unit: "short",
				description:
					"Waypoints that entries name while their hosts are reached past them: kubectl get clusterreport waymark -o yaml lists them",
				stat: goodAtZero,
				targets: [{ expr: "max(waymark_audit_lost_waypoints)", legend: "lost" }],
			},
			{
				title: "Connections that policies do not hold",
				unit: "short",
				description:
					"Pairs of a namespace and a port of a host that its policy does not allow and nothing refuses, as reach finds them",
				stat: goodAtZero,
				targets: [{ expr: "sum(max by (way) (waymark_reach_gaps))", legend: "gaps" }],
			},
			{
				title: "Errors on stored objects",
				unit: "short",
				description: "What enforcement would refuse if it were written today",
				stat: goodAtZero,
				targets: [
					{ expr: 'sum(max by (rule) (waymark_audit_findings{severity="error"}))', legend: "errors" },
				],
			},
			{
				title: "Exemptions that end within 14 days",
				unit: "short",
				description: "Afterwards their rules deny again: waymark exemptions --cluster lists them",
				stat: [
					{ color: "green", value: null },
					{ color: "orange", value: 1 },
				],
				targets: [{ expr: 'max(waymark_audit_exemptions{left="14 days"})', legend: "end soon" }],
			},
		],
	},
	{
		title: "Egress through the waypoint",
		panels: [
			{
				title: "Requests per second by external host",
				unit: "reqps",
				description: "HTTP that the waypoint reads, hosts outside the cluster only",
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
				description: "99th percentile of the time until the answer, as the waypoint measures it",
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
				max: 1,
				description: "Share of requests that were not answered with 5xx",
				targets: [
					{
						// Where every request fails, there is no series of those that did not.
						expr: `1 - sum by (destination_service) (rate(istio_requests_total{${waypoint},response_code=~"5.."}[$__rate_interval]) or 0 * rate(istio_requests_total{${waypoint}}[$__rate_interval])) / sum by (destination_service) (rate(istio_requests_total{${waypoint}}[$__rate_interval]))`,
						legend: "{{destination_service}}",
					},
				],
			},
			{
				title: "Requests per second by source",
				unit: "reqps",
				description: "The ten workloads that send most requests out",
				targets: [
					{
						expr: `topk(10, sum by (source_workload_namespace, source_workload) (rate(istio_requests_total{${waypoint}}[$__rate_interval])))`,
						legend: "{{source_workload_namespace}}/{{source_workload}}",
					},
				],
			},
			{
				title: "TCP and TLS connections per second by external host",
				unit: "cps",
				description:
					"What the waypoint passes on without reading requests: TLS that clients begin, and plain TCP",
				targets: [
					{
						expr: `sum by (destination_service) (rate(istio_tcp_connections_opened_total{${tcp}}[$__rate_interval]))`,
						legend: "{{destination_service}}",
					},
				],
			},
			{
				title: "Bytes per second to and from external hosts",
				unit: "Bps",
				description: "TCP and TLS, as the waypoint counts them",
				targets: [
					{
						expr: `sum by (destination_service) (rate(istio_tcp_sent_bytes_total{${tcp}}[$__rate_interval]))`,
						legend: "from {{destination_service}}",
					},
					{
						expr: `sum by (destination_service) (rate(istio_tcp_received_bytes_total{${tcp}}[$__rate_interval]))`,
						legend: "to {{destination_service}}",
					},
				],
			},
			{
				title: "Failures per second by response flag",
				unit: "short",
				description:
					"Requests and connections that Envoy gave up, by its flag: UF the host did not answer, UH there is no address. What an AuthorizationPolicy refuses has none: it is a 403, or a closed connection",
				targets: [
					{
						expr: `sum by (destination_service, response_flags) (rate(istio_requests_total{${waypoint},response_flags!="-"}[$__rate_interval]))`,
						legend: "{{destination_service}} {{response_flags}}",
					},
					{
						expr: `sum by (destination_service, response_flags) (rate(istio_tcp_connections_closed_total{${tcp},response_flags!="-"}[$__rate_interval]))`,
						legend: "{{destination_service}} {{response_flags}} (TCP)",
					},
				],
			},
			{
				title: "Connections past the waypoints",
				unit: "cps",
				description:
					"As the clients' ztunnels count them, by namespace: to hosts of entries that no waypoint governs, and (unknown) to addresses that no entry names",
				targets: [
					{
						expr: `topk(10, sum by (source_workload_namespace, destination_service) (rate(istio_tcp_connections_opened_total{${past},destination_service!~".*[.]svc[.].*"}[$__rate_interval])))`,
						legend: "{{source_workload_namespace}} → {{destination_service}}",
					},
				],
			},
		],
	},
	{
		title: "What is stored",
		panels: [
			{
				title: "Hosts by state",
				unit: "short",
				description:
					"External hosts of ServiceEntries: governed, direct, refused to everybody by policies at the waypoint, and unknown while istiod has given no address",
				targets: [{ expr: "max by (state) (waymark_audit_hosts)", legend: "{{state}}" }],
			},
			{
				title: "Findings on stored objects by rule",
				unit: "short",
				description: "The ten rules with most findings, whatever the mode of the namespace",
				targets: [
					{
						expr: "topk(10, max by (rule, severity) (waymark_audit_findings))",
						legend: "{{rule}} {{severity}}",
					},
				],
			},
			{
				title: "Exemptions by how long they hold",
				unit: "short",
				description: "Each counts once, in the shortest span",
				targets: [{ expr: "max by (left) (waymark_audit_exemptions)", legend: "{{left}}" }],
			},
			{
				title: "Oldest change that is not judged",
				unit: "s",
				description: "How long the oldest change of the cluster has waited for the auditor",
				targets: [{ expr: "max(waymark_audit_oldest_unjudged_seconds)", legend: "oldest" }],
			},
		],
	},
	{
		title: "Admission",
		panels: [
			{
				title: "Reviews per second",
				unit: "reqps",
				description: "Admission reviews by webhook and answer",
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
				description: "Of admission reviews, median and 99th percentile: a millisecond or two",
				targets: ["0.5", "0.99"].map((quantile) => ({
					expr: `histogram_quantile(${quantile}, sum by (le, webhook) (rate(waymark_admission_duration_seconds_bucket[$__rate_interval])))`,
					legend: `{{webhook}} p${Number(quantile) * 100}`,
				})),
			},
			{
				title: "Findings by rule",
				unit: "short",
				description: "At admission, from one point of the curve to the next",
				targets: [
					{
						expr: "topk(10, sum by (rule, severity, mode) (increase(waymark_findings_total[$__rate_interval])))",
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
				description: "How long a replica has not heard of a kind that it follows; 0 while all are watched",
				targets: [{ expr: "max by (pod) (waymark_feed_stale_seconds)", legend: "{{pod}}" }],
			},
			{
				title: "Objects in the world",
				unit: "short",
				description: "What a replica follows, by kind",
				targets: [{ expr: "max by (kind) (waymark_feed_objects)", legend: "{{kind}}" }],
			},
			{
				title: "Watches opened again",
				unit: "short",
				description: "By kind and reason; a few an hour are normal",
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
				description: "Of what each replica serves",
				targets: [
					{
						expr: "(min by (pod) (waymark_certificate_expiry_timestamp_seconds) - time()) / 86400",
						legend: "{{pod}}",
					},
				],
			},
			{
				title: "Heap in use",
				unit: "percentunit",
				max: 1,
				description: "Of what each replica may use; past all of it the process ends",
				targets: [
					{
						expr: "max by (pod) (waymark_heap_used_bytes / waymark_heap_limit_bytes)",
						legend: "{{pod}}",
					},
				],
			},
			{
				title: "Turned away with Retry-After",
				unit: "reqps",
				description: "Requests that were sent back to wait, by reason",
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
				description: "In flight, and bodies or paths that were refused",
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
		// Single figures stand in one row and low, curves two in a row.
		const isLow = row.panels.every(({ stat }) => stat !== undefined);
		const [width, height] = isLow ? [Math.floor(24 / row.panels.length), 4] : [12, 8];
		const below = row.panels.map((panel, index) => {
			id += 1;
			return {
				id,
				type: panel.stat === undefined ? "timeseries" : "stat",
				title: panel.title,
				description: panel.description,
				datasource: source,
				gridPos: {
					h: height,
					w: width,
					x: (index * width) % 24,
					y: y + 1 + Math.floor((index * width) / 24) * height,
				},
				fieldConfig: {
					defaults: {
						unit: panel.unit,
						min: 0,
						...(panel.max === undefined ? {} : { max: panel.max }),
						...(panel.stat === undefined
							? {}
							: {
									color: { mode: "thresholds" },
									thresholds: { mode: "absolute", steps: panel.stat },
								}),
					},
					overrides: [],
				},
				options:
					panel.stat === undefined
						? { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } }
						: { colorMode: "background", reduceOptions: { calcs: ["lastNotNull"] } },
				targets: panel.targets.map(({ expr, legend }, at) => ({
					refId: String.fromCharCode(65 + at),
					datasource: source,
					expr,
					legendFormat: legend,
				})),
			};
		});
		y += 1 + Math.ceil((row.panels.length * width) / 24) * height;
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
					query: `label_values({__name__=~"istio_requests_total|istio_tcp_connections_opened_total",reporter="waypoint",${outside}}, destination_service)`,
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
