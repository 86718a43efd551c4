import type { Severity } from "../core/finding.ts";
import { mention } from "../core/finding.ts";
import { kinds } from "../core/kinds.ts";
import type { Family } from "../core/rule.ts";
import type { AuditedObject, AuditFinding } from "./judged.ts";
import type { LostWaypoint } from "./tally.ts";

/** Which API reports are written in: OpenReports' own, or the one of the Policy working group that came before. */
export type ReportApi = "openreports" | "policyreport";

/** How a kind of report is called by the API server. */
export interface ReportResource {
	readonly group: string;
	readonly version: string;
	readonly kind: string;
	readonly plural: string;
}

/** The report of a namespace, and that of objects without one (openreports/reports-api config/crd; wgpolicyk8s.io/v1alpha2). */
export const reportResources: Readonly<
	Record<ReportApi, { readonly namespaced: ReportResource; readonly cluster: ReportResource }>
> = {
	openreports: {
		namespaced: { group: "openreports.io", version: "v1alpha1", kind: "Report", plural: "reports" },
		cluster: {
			group: "openreports.io",
			version: "v1alpha1",
			kind: "ClusterReport",
			plural: "clusterreports",
		},
	},
	policyreport: {
		namespaced: {
			group: "wgpolicyk8s.io",
			version: "v1alpha2",
			kind: "PolicyReport",
			plural: "policyreports",
		},
		cluster: {
			group: "wgpolicyk8s.io",
			version: "v1alpha2",
			kind: "ClusterPolicyReport",
			plural: "clusterpolicyreports",
		},
	},
};

/** The name of every report, and what tells ours from others'. */
export const reportName = "waymark";
export const reportLabels: Readonly<Record<string, string>> = { "app.kubernetes.io/managed-by": "waymark" };
/** Carries a digest of the report's content, so that the next holder need not read it whole. */
export const digestAnnotation = "egress.waymark.dev/digest";

/** Results of one report: the rest are counted in its summary and named by one more result. */
export const mostResults = 200;

/** A report without what depends on the API: the same for both. */
export interface ReportContent {
	readonly summary: Readonly<Record<"pass" | "fail" | "warn" | "error" | "skip", number>>;
	readonly results: readonly object[];
}

const severityWords: Readonly<Record<Severity, { readonly result: string; readonly severity: string }>> = {
	error: { result: "fail", severity: "high" },
	warning: { result: "warn", severity: "medium" },
	info: { result: "skip", severity: "info" },
};
const order: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

interface Row {
	readonly object: AuditedObject;
	readonly finding: AuditFinding;
}

/**
 * What a report says of lost waypoints, one result each, and of judged objects, errors first and in a stable order: in its summary, `pass` counts objects with
 * neither error nor warning, `fail` errors, `warn` warnings and `skip` hints, all of them, whether listed or not.
 */
export function reportContent(
	objects: Iterable<AuditedObject>,
	familyOf: (rule: string) => Family | undefined,
	lost: readonly LostWaypoint[] = [],
): ReportContent {
	const rows: Row[] = [];
	const summary = { pass: 0, fail: lost.length, warn: 0, error: 0, skip: 0 };
	let unlisted = 0;
	for (const object of objects) {
		if (!object.findings.some(({ severity }) => severity !== "info")) {
			summary.pass += 1;
		}
		unlisted += object.omitted;
		for (const finding of object.findings) {
			rows.push({ object, finding });
			summary[finding.severity === "error" ? "fail" : finding.severity === "warning" ? "warn" : "skip"] += 1;
		}
	}
	rows.sort(compareRows);
	const losses = lost.slice(0, mostResults).map(resultOfLoss);
	const room = mostResults - losses.length;
	const listed = [...losses, ...rows.slice(0, room).map((row) => resultOf(row, familyOf))];
	unlisted += lost.length - losses.length + Math.max(0, rows.length - room);
	return { summary, results: unlisted === 0 ? listed : [...listed, restOf(unlisted)] };
}

function compareRows(one: Row, other: Row): number {
	return (
		order[one.finding.severity] - order[other.finding.severity] ||
		compare(one.object.kind, other.object.kind) ||
		compare(one.object.name, other.object.name) ||
		compare(one.finding.rule, other.finding.rule) ||
		compare(one.finding.path, other.finding.path) ||
		compare(one.finding.message, other.finding.message)
	);
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}

function resultOf({ object, finding }: Row, familyOf: (rule: string) => Family | undefined): object {
	const { rule, severity, path, message, hint } = finding;
	const { kind, apiVersion, namespace, name, uid } = object;
	return {
		policy: rule,
		rule,
		category: familyOf(rule) ?? "waymark",
		source: "waymark",
		...severityWords[severity],
		message,
		properties: { field: path, ...(hint === undefined ? {} : { fix: hint }) },
		resources: [
			{
				apiVersion,
				kind: kinds[kind].kind,
				name,
				...(namespace === "" ? {} : { namespace }),
				...(uid === undefined ? {} : { uid }),
			},
		],
	};
}

/** One line for a waypoint, whatever it left behind; the namespaces' own reports name every entry. */
function resultOfLoss({ namespace, name, isThere, entries, namespaces, first }: LostWaypoint): object {
	const what = `${entries === 1 ? "1 ServiceEntry" : `${entries} ServiceEntries`} of ${namespaces === 1 ? "1 namespace" : `${namespaces} namespaces`}`;
	const names = first.map((entry) => mention(`${entry.namespace}/${entry.name}`));
	const more = entries > names.length ? ` and ${entries - names.length} more` : "";
	return {
		policy: "lost-waypoint",
		rule: "lost-waypoint",
		category: "binding",
		source: "waymark",
		...severityWords.error,
		message: `Waypoint ${mention(`${namespace}/${name}`)} ${isThere ? "does not serve all that ask for it" : "does not exist"}: ${what} ${entries === 1 ? "is" : "are"} reached past it (${names.join(", ")}${more})`,
		properties: {
			entries: String(entries),
			namespaces: String(namespaces),
			fix: isThere
				? "See the reports of these namespaces for why"
				: "Create the waypoint again, or move them to another one",
		},
		resources: [{ apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", namespace, name }],
	};
}

function restOf(count: number): object {
	return {
		policy: "waymark",
		source: "waymark",
		result: "skip",
		severity: "info",
		message: `${count} more ${count === 1 ? "finding is" : "findings are"} not listed; waymark lint --cluster shows all`,
	};
}
