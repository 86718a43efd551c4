import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import type { ReportApi } from "../../src/audit/report.ts";
import type { KubeObject } from "./api.ts";
import type { ProcessGroup } from "./processes.ts";
import { createProcessGroup } from "./processes.ts";
import { reportCrds } from "./report-crds.ts";
import type { ServeReplica, ServeReplicas } from "./serve-replicas.ts";
import { installed, metric, startServeReplicas } from "./serve-replicas.ts";
import { useControlPlane } from "./shared.ts";
import { untilFound } from "./until-found.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry, useWaypoint } from "./world.ts";

const plane = await useControlPlane();
const egress = "audit-egress";
const shop = "audit-shop";
const narrow = "audit-narrow";

/** Findings are the same as where they deny, and objects with findings can be written. */
const lenient = {
	labels: { "istio.io/dataplane-mode": "ambient" },
	annotations: { "egress.waymark.dev/mode": "warn", "egress.waymark.dev/waypoint": "audit-egress/waypoint" },
};

interface Report extends KubeObject {
	readonly summary: Readonly<Record<string, number>>;
	readonly results: readonly {
		readonly policy: string;
		readonly result: string;
		readonly message: string;
		readonly resources?: readonly { readonly kind: string; readonly name: string }[];
	}[];
}

const reportOf = async (namespace: string): Promise<Report | undefined> =>
	(await plane.get("Report", namespace, "waymark")) as Report | undefined;

async function auditLine(replica: ServeReplica): Promise<string> {
	const text = await (await fetch(`${replica.operations}/readyz?verbose`)).text();
	return text.split("\n").find((line) => line.includes("audit:")) ?? "";
}

async function applyReportCrds(api: ReportApi = "openreports"): Promise<void> {
	const definitions = parseAllDocuments(await reportCrds(api)).map(
		(each) => each.toJS() as KubeObject | null,
	);
	for (const definition of definitions.filter((each) => each !== null)) {
		await plane.api.apply(definition);
	}
	const kind = api === "openreports" ? "Report" : "PolicyReport";
	await untilFound("the report CRDs are served", async () =>
		plane.get(kind, "default", "waymark").then(
			() => true,
			() => false,
		),
	);
}

const policyReports = ["policyreports.wgpolicyk8s.io", "clusterpolicyreports.wgpolicyk8s.io"];

/** Every field of a result as it is sent; what a CRD does not know, the API server drops without a word. */
const resultFields = [
	"category",
	"message",
	"policy",
	"properties",
	"resources",
	"result",
	"rule",
	"severity",
	"source",
];

describe("auditing, with a real API server", { timeout: 300_000 }, () => {
	let group: ProcessGroup;
	let served: ServeReplicas;
	let config: string;

	before(async () => {
		group = await createProcessGroup();
		config = join(group.folder, "config.yaml");
		await writeFile(config, "audit: {reports: openreports}\n");
		await applyReportCrds();
		await createNamespace(plane, egress, { labels: { "istio.io/dataplane-mode": "ambient" } });
		await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
		await createNamespace(plane, shop, lenient);
		const bound = serviceEntry(shop, "bound", "bound.example.com", {
			labels: useWaypoint("waypoint", egress),
		});
		await plane.api.apply(bound);
		await plane.api.apply(serviceEntry(shop, "wild", "*.example.org", { spec: { resolution: "NONE" } }));
		await untilFound("istiod has bound the entry", async () => {
			const condition = await plane.istiod.waypointBound(shop, "bound");
			return condition?.status === "True";
		});
		served = await startServeReplicas(plane, group, {
			count: 2,
			args: ["--audit", `--config=${config}`],
		});
	});

	after(async () => {
		await served?.stop();
		await group.stop();
		await plane.kubectl(["delete", "crd", "--ignore-not-found", ...policyReports]);
		await deleteNamespaces(plane, shop, narrow, egress);
	});

	const holder = async (): Promise<ServeReplica> =>
		untilFound("a replica holds the Lease", async () => {
			for (const replica of served.replicas) {
				if (replica.process().isRunning() && (await metric(replica, "waymark_audit_holder")) === 1) {
					return replica;
				}
			}
			return undefined;
		});

	it("one replica writes a report of each namespace, which the CRD's own schema takes", async () => {
		const report = await untilFound("the report", () => reportOf(shop));
		assert.ok((report.summary.fail ?? 0) >= 1, JSON.stringify(report.summary));
		const wild = report.results.find(({ policy }) => policy === "serviceentry-wildcard-resolution");
		assert.equal(wild?.result, "fail");
		assert.deepEqual(
			wild?.resources?.map(({ kind, name }) => `${kind} ${name}`),
			["ServiceEntry wild"],
		);
		assert.equal(report.metadata.labels?.["app.kubernetes.io/managed-by"], "waymark");
		const table = await plane.kubectl(["get", "reports", "--namespace", shop]);
		assert.match(table.stdout, /NAME\s+PASS\s+FAIL\s+WARN\s+ERROR\s+SKIP/);
		const holders = await Promise.all(
			served.replicas.map((replica) => metric(replica, "waymark_audit_holder")),
		);
		assert.equal(
			holders.reduce((sum, each) => sum + each),
			1,
		);
	});

	it("the object that is judged is never written: only its author manages it", async () => {
		const entry = await plane.get("ServiceEntry", shop, "wild");
		const managers =
			(entry?.metadata.managedFields as readonly { readonly manager: string }[] | undefined) ?? [];
		assert.ok(!managers.some(({ manager }) => manager === "waymark"), JSON.stringify(managers));
	});

	it("a waypoint that is deleted is told within seconds, by report, Event and metric", async () => {
		await plane.kubectl(["delete", "gateways.gateway.networking.k8s.io", "waypoint", "-n", egress]);
		const began = performance.now();
		const report = await untilFound("the report says so", async () => {
			const now = await reportOf(shop);
			return now?.results.some(({ policy }) => policy === "serviceentry-waypoint-existence")
				? now
				: undefined;
		});
		console.log(`# the report said so after ${Math.round(performance.now() - began)} ms`);
		const cluster = await untilFound("one line for the waypoint", async () => {
			const now = (await plane.get("ClusterReport", undefined, "waymark")) as Report | undefined;
			return now?.results.find(({ message }) => message.includes(`${egress}/waypoint`));
		});
		console.log(`# and the cluster's own after ${Math.round(performance.now() - began)} ms`);
		assert.equal(cluster.policy, "lost-waypoint");
		assert.equal(
			cluster.message,
			`Waypoint ${egress}/waypoint does not exist: 1 ServiceEntry of 1 namespace is reached past it (${shop}/bound)`,
		);
		assert.deepEqual(Object.keys(cluster).toSorted(), resultFields);
		assert.ok(report.results.some(({ resources }) => resources?.some(({ name }) => name === "bound")));
		const events = await untilFound("Events", async () => {
			const list = await plane.kubectl(["get", "events.events.k8s.io", "-n", shop, "-o", "json"]);
			const { items } = JSON.parse(list.stdout) as {
				readonly items: readonly {
					readonly reportingController: string;
					readonly reason: string;
					readonly regarding: { readonly kind: string; readonly name: string };
					readonly note: string;
				}[];
			};
			const ours = items.filter(({ reportingController }) => reportingController === "waymark.dev/audit");
			return ours.length >= 2 ? ours : undefined;
		});
		assert.ok(events.some(({ regarding }) => regarding.kind === "Namespace" && regarding.name === shop));
		assert.ok(
			events.some(({ regarding }) => regarding.kind === "ServiceEntry" && regarding.name === "bound"),
		);
	});

	it("the other replica takes over when the holder stops, and rewrites no report that is right", async () => {
		const first = await holder();
		// What only the reach of all namespaces tells is not taken back while the next holder works it out anew.
		await createNamespace(plane, narrow, {
			labels: { "istio.io/dataplane-mode": "ambient" },
			annotations: { "egress.waymark.dev/denied-hosts": "bound.example.com" },
		});
		await untilFound("the report tells of the gap", async () =>
			(await reportOf(shop))?.results.some(({ policy }) => policy === "serviceentry-reach"),
		);
		await untilFound(
			"all reports are written",
			async () => (await metric(first, "waymark_audit_reports_waiting")) === 0,
		);
		const before = await reportOf(shop);
		const wholeBefore = await plane.get("ClusterReport", undefined, "waymark");
		assert.equal(await first.stop("SIGTERM"), "code 0");
		const second = await holder();
		assert.notEqual(second, first);
		await untilFound("reports are kept", async () =>
			(await auditLine(second)).includes("reports: publishing"),
		);
		await sleep(500);
		const whole = await plane.get("ClusterReport", undefined, "waymark");
		assert.equal(whole?.metadata.resourceVersion, wholeBefore?.metadata.resourceVersion);
		assert.equal((await reportOf(shop))?.metadata.resourceVersion, before?.metadata.resourceVersion);
		await first.start();
	});

	it("a holder that has lost its Lease to somebody else stops auditing, answers on, and one takes over again", async () => {
		const first = await holder();
		const lease = await plane.get(
			"Lease.coordination.k8s.io",
			installed.namespace,
			`${installed.name}-audit`,
		);
		const now = new Date().toISOString().replace("Z", "000Z");
		const taken = {
			spec: { holderIdentity: "a-stranger", leaseDurationSeconds: 15, acquireTime: now, renewTime: now },
		};
		await plane.kubectl([
			...["patch", "lease", lease?.metadata.name ?? "", "-n", installed.namespace, "--type=merge"],
			`-p=${JSON.stringify(taken)}`,
		]);
		await untilFound(
			"the holder has stopped",
			async () => (await metric(first, "waymark_audit_holder")) === 0,
		);
		await plane.api.apply(serviceEntry(shop, "meanwhile", "*.example.gov", { spec: { resolution: "NONE" } }));
		assert.equal((await fetch(`${first.operations}/readyz`)).status, 200);
		await holder();
		await untilFound("the report says what came meanwhile", async () =>
			(await reportOf(shop))?.results.some(({ resources }) =>
				resources?.some(({ name }) => name === "meanwhile"),
			),
		);
	});

	it("a namespace that is deleted, and CRDs that go and come, stop nothing else", async () => {
		await createNamespace(plane, "audit-gone", lenient);
		await plane.api.apply(
			serviceEntry("audit-gone", "wild", "*.example.net", { spec: { resolution: "NONE" } }),
		);
		await untilFound("its report", () => reportOf("audit-gone"));
		await deleteNamespaces(plane, "audit-gone");
		const names = ["reports.openreports.io", "clusterreports.openreports.io"];
		await plane.kubectl(["delete", "crd", ...names]);
		await plane.api.apply(serviceEntry(shop, "late", "*.example.edu", { spec: { resolution: "NONE" } }));
		const replica = await holder();
		await untilFound("the missing CRD is said", async () =>
			(await auditLine(replica)).includes("reports: missing"),
		);
		assert.match(await (await fetch(`${replica.operations}/readyz`)).text(), /ok|ready/i);
		await applyReportCrds();
		const report = await untilFound("reports are written again", () => reportOf(shop));
		assert.ok(report.results.some(({ resources }) => resources?.some(({ name }) => name === "late")));
	});

	it("PolicyReports are kept as soon as the configuration asks for them, and their CRDs take every field", async () => {
		await applyReportCrds("policyreport");
		await writeFile(config, "audit: {reports: policyreport, cluster: eu-1}\n");
		const report = await untilFound("a PolicyReport", async () => {
			return (await plane.get("PolicyReport", shop, "waymark")) as Report | undefined;
		});
		assert.equal(report.apiVersion, "wgpolicyk8s.io/v1alpha2");
		assert.equal(report.metadata.annotations?.["egress.waymark.dev/cluster"], "eu-1");
		assert.ok((report.summary.fail ?? 0) >= 1, JSON.stringify(report.summary));
		const wild = report.results.find(({ policy }) => policy === "serviceentry-wildcard-resolution");
		assert.deepEqual(Object.keys(wild ?? {}).toSorted(), resultFields);
		const table = await plane.kubectl(["get", "policyreports", "--namespace", shop]);
		assert.match(table.stdout, /NAME\s+KIND\s+NAME\s+PASS\s+FAIL\s+WARN\s+ERROR\s+SKIP/);
		const cluster = (await untilFound("a ClusterPolicyReport", () =>
			plane.get("ClusterPolicyReport", undefined, "waymark"),
		)) as Report;
		assert.ok(cluster.results.some(({ policy }) => policy === "lost-waypoint"));
	});

	it("the ServiceAccount may write nothing but reports, Events and its Lease", async () => {
		const user = `system:serviceaccount:${installed.namespace}:${installed.name}`;
		for (const [verb, resource, answer] of [
			["patch", "reports.openreports.io", "yes"],
			["create", "events.events.k8s.io", "yes"],
			["patch", "serviceentries.networking.istio.io", "no"],
			["update", "namespaces", "no"],
			["delete", "events.events.k8s.io", "no"],
		] as const) {
			const { stdout } = await plane.kubectl(["auth", "can-i", verb, resource, "-n", shop, "--as", user]);
			assert.equal(stdout.trim(), answer, `${verb} ${resource}`);
		}
	});
});
