import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeObject } from "./api.ts";
import type { ProcessGroup } from "./processes.ts";
import { createProcessGroup } from "./processes.ts";
import type { ServeReplica, ServeReplicas } from "./serve-replicas.ts";
import { installed, metric, startServeReplicas } from "./serve-replicas.ts";
import { useControlPlane } from "./shared.ts";
import { untilFound } from "./until-found.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry, useWaypoint } from "./world.ts";

const plane = await useControlPlane();
const egress = "reach-live-egress";
const bank = "reach-live-bank";
const intern = "reach-live-intern";
const host = "api.reach-live.example";
const policyName = "waymark-reach-api";
const ambient = { "istio.io/dataplane-mode": "ambient" };

interface Policy extends KubeObject {
	readonly spec: { readonly action: string; readonly rules: readonly object[]; readonly provider?: object };
}

const policyOf = async (): Promise<Policy | undefined> =>
	(await plane.get("AuthorizationPolicy", bank, policyName)) as Policy | undefined;

const until = <T>(what: string, find: () => Promise<T | undefined | false>, limitMs = 20_000): Promise<T> =>
	untilFound(what, find, limitMs);

const entry = (): KubeObject =>
	serviceEntry(bank, "api", host, { labels: useWaypoint("waypoint", egress) }) as KubeObject;
const denied = (hosts: string): Promise<unknown> =>
	plane.kubectl(["annotate", "namespace", intern, "--overwrite", `egress.waymark.dev/denied-hosts=${hosts}`]);
const uidOf = async (): Promise<string | undefined> =>
	((await plane.get("ServiceEntry", bank, "api")) as KubeObject | undefined)?.metadata.uid as
		| string
		| undefined;
const ownersOf = (policy: Policy): readonly string[] =>
	((policy.metadata.ownerReferences ?? []) as readonly { readonly uid: string }[]).map(({ uid }) => uid);

/** A wanted policy: the intern namespace is denied, and nothing else is said. */
const isRight = (policy: Policy | undefined): policy is Policy =>
	policy?.spec.action === "DENY" &&
	policy.spec.provider === undefined &&
	JSON.stringify(policy.spec.rules) === JSON.stringify([{ from: [{ source: { namespaces: [intern] } }] }]) &&
	policy.metadata.labels?.["egress.waymark.dev/generated-from"] === "api";

const rightPolicy = (what: string): Promise<Policy> =>
	until(what, async () => {
		const policy = await policyOf();
		return isRight(policy) ? policy : undefined;
	});

describe("reach: enforce, with a real API server", { timeout: 180_000 }, () => {
	let group: ProcessGroup;
	let served: ServeReplicas;
	let folder: string;

	const holder = (): Promise<ServeReplica> =>
		until("a replica holds the Lease", async () => {
			for (const replica of served.replicas) {
				if (replica.process().isRunning() && (await metric(replica, "waymark_audit_holder")) === 1) {
					return replica;
				}
			}
			return undefined;
		});
	const configure = (reach: string): Promise<void> =>
		writeFile(join(folder, "config.yaml"), `reach: ${reach}\naudit: {reports: none, events: false}\n`);

	before(async () => {
		group = await createProcessGroup();
		folder = await mkdtemp(join(tmpdir(), "waymark-reach-"));
		await configure("enforce");
		await createNamespace(plane, egress, { labels: ambient });
		await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
		await createNamespace(plane, bank, { labels: ambient });
		await createNamespace(plane, intern, {
			labels: ambient,
			annotations: { "egress.waymark.dev/denied-hosts": host },
		});
		await plane.api.apply(entry());
		await until("istiod has bound the entry", async () => {
			return (await plane.istiod.waypointBound(bank, "api"))?.status === "True";
		});
		served = await startServeReplicas(plane, group, {
			count: 2,
			args: ["--audit", `--config=${join(folder, "config.yaml")}`],
			values: ["config.reach=enforce"],
		});
	});

	after(async () => {
		await served?.stop();
		await group.stop();
		await deleteNamespaces(plane, bank, intern, egress);
		await rm(folder, { recursive: true });
	});

	it("the holder writes the policy that the waypoint needs, which belongs to the entry, and closes the gap", async () => {
		const policy = await rightPolicy("the policy");
		assert.deepEqual(ownersOf(policy), [await uidOf()]);
		const managers = (policy.metadata.managedFields ?? []) as readonly {
			readonly manager: string;
			readonly operation: string;
		}[];
		assert.ok(managers.some(({ manager, operation }) => manager === "waymark" && operation === "Apply"));
		const replica = await holder();
		await until("no gap is left", async () => {
			const gaps = await metric(replica, 'waymark_reach_gaps{way="waypoint"}');
			return gaps === 0 && (await metric(replica, 'waymark_reach_policies{state="kept"}')) === 1;
		});
		const ready = await (await fetch(`${replica.operations}/readyz?verbose`)).text();
		assert.match(ready, /reach: enforce, 0 gaps, 1 policies kept, 0 waiting, 0 too large/);
		await plane.istiod.settle();
		const trusted = await plane.istiod.ambientServices(bank, "api");
		assert.ok(trusted.length > 0);
	});

	it("what did not change is not written, however often reach is worked out", async () => {
		const before = await rightPolicy("the policy");
		const replica = await holder();
		const writes = await metric(replica, 'waymark_reach_writes{result="applied"}');
		for (const place of ["one", "two", "three"]) {
			await plane.kubectl(["annotate", "serviceentry", "api", "-n", bank, "--overwrite", `note=${place}`]);
			await sleep(400);
		}
		assert.equal((await policyOf())?.metadata.resourceVersion, before.metadata.resourceVersion);
		assert.equal(await metric(replica, 'waymark_reach_writes{result="applied"}'), writes);
	});

	it("what somebody changes, adds or deletes by kubectl is put right", async () => {
		for (const patch of [
			{ spec: { action: "ALLOW" } },
			{
				spec: {
					rules: [{ from: [{ source: { namespaces: [intern] } }], to: [{ operation: { ports: ["1"] } }] }],
				},
			},
			{ spec: { provider: { name: "somebody" } } },
			{ metadata: { labels: { "egress.waymark.dev/generated-from": null } } },
			{ metadata: { ownerReferences: null } },
		]) {
			const began = performance.now();
			await plane.kubectl([
				"patch",
				"authorizationpolicy",
				policyName,
				"-n",
				bank,
				"--type=merge",
				"-p",
				JSON.stringify(patch),
			]);
			await until(`${JSON.stringify(patch)} is undone`, async () => {
				const policy = await policyOf();
				return isRight(policy) && ownersOf(policy).length === 1;
			});
			console.log(
				`# ${JSON.stringify(patch).slice(0, 60)} undone after ${Math.round(performance.now() - began)} ms`,
			);
		}
		await plane.kubectl(["delete", "authorizationpolicy", policyName, "-n", bank]);
		await until("it is there again", async () => isRight(await policyOf()));
	});

	it("a policy goes with what it forbids, comes back with it, and follows an entry that is made anew", async () => {
		await denied("elsewhere.example");
		await until("it is deleted", async () => (await policyOf()) === undefined);
		await denied(host);
		await until("it is back", async () => isRight(await policyOf()));
		await plane.kubectl(["delete", "serviceentry", "api", "-n", bank]);
		await until("it went with the entry", async () => (await policyOf()) === undefined);
		await plane.api.apply(entry());
		const policy = await until("a policy of the new entry", async () => {
			const found = await policyOf();
			return isRight(found) && ownersOf(found).includes((await uidOf()) ?? "none") ? found : undefined;
		});
		assert.deepEqual(ownersOf(policy), [await uidOf()]);
	});

	it("whoever loses the Lease writes no more, and puts right what happened meanwhile when it is the holder again", async () => {
		const lease = (await plane.get("Lease", installed.namespace, `${installed.name}-audit`)) as KubeObject & {
			readonly spec: object;
		};
		const thief = {
			holderIdentity: "somebody-else",
			leaseDurationSeconds: 8,
			renewTime: new Date().toISOString().replace("Z", "000Z"),
		};
		await plane.api.apply({
			...lease,
			metadata: { name: `${installed.name}-audit`, namespace: installed.namespace },
			spec: thief,
		});
		await until("nobody of ours holds it", async () => {
			const held = await Promise.all(served.replicas.map((each) => metric(each, "waymark_audit_holder")));
			return held.every((each) => each === 0);
		});
		await plane.kubectl([
			"patch",
			"authorizationpolicy",
			policyName,
			"-n",
			bank,
			"--type=merge",
			"-p",
			'{"spec":{"action":"ALLOW"}}',
		]);
		await sleep(1500);
		assert.equal((await policyOf())?.spec.action, "ALLOW");
		await rightPolicy("the next holder puts it right");
	});

	it("while no Waymark runs the policy stays, and what was done to it is put right when one is back", async () => {
		await Promise.all(served.replicas.map((replica) => replica.stop("SIGTERM")));
		assert.ok(isRight(await policyOf()));
		await plane.kubectl(["delete", "authorizationpolicy", policyName, "-n", bank]);
		await served.replicas[0]?.start();
		await rightPolicy("it is back");
	});

	it("when the configuration asks for it no longer, the policy stays and is anybody's", async () => {
		await configure("report");
		const replica = await holder();
		await until(
			"it is let go",
			async () => (await metric(replica, 'waymark_reach_policies{state="kept"}')) === 0,
		);
		assert.ok(isRight(await policyOf()));
		await plane.kubectl(["delete", "authorizationpolicy", policyName, "-n", bank]);
		await until(
			"the gap is told",
			async () => (await metric(replica, 'waymark_reach_gaps{way="waypoint"}')) === 1,
		);
		assert.equal(await policyOf(), undefined);
	});

	it("the ServiceAccount may write AuthorizationPolicies only where the chart was told reach: enforce", async () => {
		const user = `system:serviceaccount:${installed.namespace}:${installed.name}`;
		const { stdout } = await plane.kubectl([
			"auth",
			"can-i",
			"patch",
			"authorizationpolicies.security.istio.io",
			"-n",
			bank,
			"--as",
			user,
		]);
		assert.equal(stdout.trim(), "yes");
	});
});
