import { ClusterState } from "../core/cluster-state.ts";
import type { Engine } from "../core/engine.ts";
import { evaluate } from "../core/evaluate.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace, withSpec } from "../rules/examples.ts";

/** How often, and how large: after that V8 has compiled what the largest objects spend their time in. */
const rounds = 6;
const hosts = 20;
const endpoints = 250;

/**
 * Judges a large ServiceEntry a few times before anybody asks. The first large object that a replica judges takes four
 * to eight times as long as the next one, since its loops run uncompiled, and everybody waits for it.
 */
export function warmUp(engine: Engine): void {
	const inventory = new ClusterState();
	inventory.set("Namespace", teamNamespace);
	inventory.set("Namespace", egressNamespace);
	inventory.set("KubernetesGateway", egressWaypoint);
	const object = withSpec(boundEntry, {
		hosts: Array.from({ length: hosts }, (_, index) => `h${index}.example.com`),
		resolution: "STATIC",
		endpoints: Array.from({ length: endpoints }, (_, index) => ({
			address: `192.0.2.${index}`,
			labels: { app: `app-${index}` },
			locality: `region/zone/${index}`,
		})),
	});
	const { name, namespace = "" } = boundEntry.metadata ?? {};
	for (let round = 0; round < rounds; round++) {
		evaluate(engine, inventory, {
			kind: "ServiceEntry",
			namespace: namespace ?? "",
			name: name ?? undefined,
			object,
			today: "2026-01-01",
		});
	}
}
