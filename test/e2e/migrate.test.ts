import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { rules } from "../../src/rules/table.ts";
import { bundles } from "../support/bundles.ts";
import { egressWorlds } from "../support/egress-worlds.ts";
import { runVerb } from "../support/run-verb.ts";
import { startServe } from "../support/serve-process.ts";
import type { KubeObject } from "./api.ts";
import { useControlPlane } from "./shared.ts";
import { registerWebhooks } from "./webhooks.ts";
import type { NamespaceOptions } from "./world.ts";
import { createNamespace, createWaypoint, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const namespaces = ["shop", "pay", "docs", "news", "ci", "istio-egress", "team", "legacy"];
const folder = mkdtempSync(join(tmpdir(), "waymark-migrate-"));
const shared = "mig-waypoints/shared";
/** The waypoint that the rules' examples name. */
const ofExamples = "istio-egress/egress";

function ambient(waypoint: string): NamespaceOptions {
	return {
		labels: { "istio.io/dataplane-mode": "ambient" },
		annotations: { "egress.waymark.dev/waypoint": waypoint },
	};
}

interface Written {
	readonly file: string;
	readonly text: string;
	readonly object: KubeObject;
}

/** The manifests of a stage, one object a file. */
function stage(out: string, name: string): readonly Written[] {
	const path = join(out, name);
	return existsSync(path)
		? readdirSync(path).map((file) => {
				const text = readFileSync(join(path, file), "utf8");
				return { file, text, object: parse(text) as KubeObject };
			})
		: [];
}

/** The bad example of every rule against sidecar-style egress, with the world that it stands in. */
const ruleExamples = rules
	// REGISTRY_ONLY is no way out: what it seems to forbid has nothing that could take its place.
	.filter(({ id, family }) => family === "sidecar-egress" && id !== "sidecar-registry-only")
	.map(({ id, docs }) => [
		`the example of ${id}`,
		[docs.bad, ...(docs.given ?? [])].map((object) => JSON.stringify(object)).join("\n---\n"),
	]);

const root = new URL("../../", import.meta.url);
const examples = [
	...readdirSync(new URL("examples/", root)).map((file) => `examples/${file}`),
	"docs/try/sidecar-bundle.yaml",
].map((file) => readFileSync(new URL(file, root), "utf8"));

const worlds: Readonly<Record<string, string>> = {
	...Object.fromEntries(Object.entries(bundles).map(([name, text]) => [`the bundle ${name}`, text])),
	...Object.fromEntries(
		Object.entries(egressWorlds).map(([name, { text }]) => [`the world with ${name}`, text]),
	),
	"the folder examples, with the old way of README": examples.join("\n---\n"),
};

async function migrated(name: string, text: string, waypoint: string): Promise<string> {
	const out = join(folder, name.replaceAll(/[^a-z-]/gi, "-"));
	const file = `${out}.yaml`;
	writeFileSync(file, text);
	const { code, error } = await runVerb("migrate", file, "--out", out, "--waypoint", waypoint);
	assert.ok(code === 0 || code === 1, error);
	return out;
}

/**
 * TLS of a wildcard depends on a switch of istiod's that no object can turn: such an entry comes with a warning. A policy
 * or an entry that is applied before what it belongs to is told so.
 */
const inevitable =
	/^(?:Warning: (?:serviceentry-dynamic-dns-protocol|authorizationpolicy-target|serviceentry-tls-origination): [^\n]*\nWarning: fix: [^\n]*\n)*$/;

async function prove(name: string, text: string, waypoint: string): Promise<void> {
	const out = await migrated(name, text, waypoint);
	const written = [...stage(out, "1-add"), ...stage(out, "2-switch")];
	assert.match(readFileSync(join(out, "REPORT.md"), "utf8"), /^## 1\. /m, "a way out was found");
	await using stack = new AsyncDisposableStack();
	for (const { file, text, object } of written) {
		stack.defer(() => plane.api.delete(object.kind, object.metadata.namespace, object.metadata.name ?? ""));
		if (!object.apiVersion.startsWith("rbac.")) {
			const verdict = await plane.istiod.validate(object);
			assert.ok(verdict.allowed, `istiod refuses ${file}: ${verdict.message}`);
		}
		// What was applied a moment ago may be news to the webhook still.
		for (let tries = 0; tries < 20; tries++) {
			const { code, stderr } = await plane.tryApply(text, { dryRun: true });
			if (code === 0 && inevitable.test(stderr)) {
				break;
			}
			await sleep(100);
		}
		const applied = await plane.tryApply(text);
		assert.equal(applied.code, 0, `${file}: ${applied.stderr}`);
		assert.match(applied.stderr, inevitable, file);
	}
	for (const { object } of written.filter((each) => each.object.kind === "ServiceEntry")) {
		const [namespace = "", entry = ""] = [object.metadata.namespace, object.metadata.name];
		const bound = await plane.istiod.waypointBound(namespace, entry);
		assert.equal(bound.status, "True", `${entry}: ${bound.message}`);
		const { hosts } = object.spec as { hosts: readonly string[] };
		const services = await plane.istiod.ambientServices(namespace, entry);
		assert.deepEqual(services.map(({ hostname }) => hostname).toSorted(), hosts.toSorted());
		for (const service of services) {
			assert.equal(service.waypoint, waypoint, service.hostname);
			assert.ok(service.addresses.length > 0, `${service.hostname} is not captured`);
		}
		for (const host of hosts.filter((each) => !each.startsWith("*"))) {
			const trace = await runVerb(
				"trace",
				host,
				"--from",
				namespace,
				"--cluster",
				"--kubeconfig",
				plane.kubeconfig,
			);
			// Policies that came along may refuse this namespace, at the waypoint all the same.
			assert.match(trace.out, new RegExp(`(?:through|refused at) ${waypoint}`), trace.out + trace.error);
		}
	}
	for (const { file, text, object } of stage(out, "3-remove")) {
		// Waymark judges no policies, nor namespaces that it is not asked about, and this API server knows no ASM.
		const isJudged =
			object.kind !== "AuthorizationPolicy" &&
			object.kind !== "ASMEgressTrafficPolicy" &&
			namespaces.includes(object.metadata.namespace ?? "");
		// What the migration carries over in place is no part of the old way.
		const isOld = object.kind !== "DestinationRule" || JSON.stringify(object).includes("egressgateway");
		if (isJudged && isOld) {
			const refused = await plane.tryApply(text);
			assert.equal(refused.code, 1, `${file} was admitted`);
			assert.match(refused.stderr, /-egress-/, file);
		}
	}
}

test("what migrate writes is admitted, bound and captured, and the old bundle refused", async (context) => {
	await using stack = new AsyncDisposableStack();
	stack.defer(() => rmSync(folder, { recursive: true }));
	await createNamespace(plane, "mig-waypoints");
	stack.defer(() => deleteNamespaces(plane, ...namespaces, "mig-waypoints"));
	await createWaypoint(plane, "mig-waypoints", "shared", { from: { from: "All" } });
	await Promise.all(namespaces.map((name) => createNamespace(plane, name, ambient(shared))));
	const stops = {
		after: (stop: () => Promise<unknown>): void => stack.defer(async () => void (await stop())),
	};
	const server = await startServe(stops, ["--kubeconfig", plane.kubeconfig], { cwd: folder });
	const ca = readFileSync(server.caFile, "utf8");
	stack.defer(await registerWebhooks(plane, { url: server.url, ca, namespaces }));
	for (const [name, text] of Object.entries(worlds)) {
		await context.test(name, () => prove(name, text, shared));
	}
	await createWaypoint(plane, "istio-egress", "egress", { from: { from: "All" } });
	await Promise.all(
		["team", "istio-egress"].map((name) => createNamespace(plane, name, ambient(ofExamples))),
	);
	for (const [name = "", text = ""] of ruleExamples) {
		await context.test(name, () => prove(name, text, ofExamples));
	}
});
