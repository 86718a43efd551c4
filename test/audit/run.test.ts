import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createAuditor } from "../../src/audit/auditor.ts";
import type { HostState } from "../../src/audit/judged.ts";
import { createPacer, noLoad } from "../../src/audit/pace.ts";
import { runAuditor } from "../../src/audit/run.ts";
import { createEngine } from "../../src/core/engine.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import { rules } from "../../src/rules/table.ts";
import { exampleDay, world } from "../support/rule-example.ts";

test("runAuditor() judges what a deleted waypoint unbinds without waiting for the next round over everything", async () => {
	const host = boundEntry.spec?.hosts?.[0] ?? "";
	const allocated = { ...boundEntry, status: { addresses: [{ value: "240.240.0.1", host }] } } as AnyObject;
	const inventory = world([teamNamespace, egressNamespace, egressWaypoint, allocated]);
	const auditor = createAuditor({
		engine: createEngine(rules),
		inventory,
		today: exampleDay,
		onChange() {},
	});
	const entry = (): { readonly hosts: readonly HostState[]; readonly rules: readonly string[] } => {
		const found = [...auditor.objects()].find(({ name }) => name === boundEntry.metadata?.name);
		return { hosts: found?.hosts ?? [], rules: found?.findings.map(({ rule }) => rule) ?? [] };
	};
	// The first round takes a millisecond and more, so that the next one is far away.
	const run = runAuditor(auditor, () => {}, createPacer(noLoad), { gatherMs: 5, restFactor: 600_000 });
	try {
		await run.quiet();
		assert.deepEqual(entry().hosts, ["governed"]);

		const denied = { "egress.waymark.dev/denied-hosts": host };
		inventory.set("Namespace", {
			...teamNamespace,
			metadata: { ...teamNamespace.metadata, annotations: denied },
		} as typeof teamNamespace);
		auditor.changed({ kind: "Namespace", namespace: "", name: teamNamespace.metadata?.name ?? "" });
		run.wake();
		await sleep(300);
		assert.ok(!entry().rules.includes("serviceentry-policy-host"), "the round over everything has its rest");

		const { namespace, name } = egressWaypoint.metadata as { namespace: string; name: string };
		inventory.delete("KubernetesGateway", namespace, name);
		auditor.changed({ kind: "KubernetesGateway", namespace, name });
		run.wake();
		for (const deadline = Date.now() + 10_000; entry().hosts[0] !== "direct"; await sleep(5)) {
			assert.ok(Date.now() < deadline, "the entry is still called governed");
		}
		assert.ok(run.waitingMs() > 0, "the round over everything is still to come");
	} finally {
		run.stop();
	}
});

test("runAuditor() tells that a waypoint is lost before it tells of any entry, and then of all of them at once", async () => {
	const entries = ["one", "two", "three"].map((name) => {
		const host = `${name}.payments.example.com`;
		return {
			...boundEntry,
			metadata: { ...boundEntry.metadata, name },
			spec: { ...boundEntry.spec, hosts: [host] },
			status: { addresses: [{ value: "240.240.0.1", host }] },
		} as AnyObject;
	});
	const inventory = world([teamNamespace, egressNamespace, egressWaypoint, ...entries]);
	const told: string[] = [];
	let changes = 0;
	const auditor = createAuditor({
		engine: createEngine(rules),
		inventory,
		today: exampleDay,
		onChange({ after }) {
			changes += after?.kind === "ServiceEntry" ? 1 : 0;
		},
	});
	const onQuiet = (): void => {
		told.push(`${auditor.tally.lost} lost, ${changes} entries`);
	};
	const run = runAuditor(auditor, onQuiet, createPacer(noLoad, { sliceMs: 10_000 }), { gatherMs: 5 });
	try {
		await run.quiet();
		told.length = 0;
		changes = 0;
		const { namespace, name } = egressWaypoint.metadata as { namespace: string; name: string };
		inventory.delete("KubernetesGateway", namespace, name);
		auditor.changed({ kind: "KubernetesGateway", namespace, name });
		run.wake();
		await run.quiet();
		assert.deepEqual(told.slice(0, 2), ["1 lost, 0 entries", "1 lost, 3 entries"]);
	} finally {
		run.stop();
	}
});
