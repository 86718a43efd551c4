import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ClusterState } from "../../src/core/cluster-state.ts";
import type { IndexName } from "../../src/core/indexes.ts";
import type { Namespace, Resources, Service, ServiceEntry } from "../../src/core/kinds.ts";
import { allKinds } from "../../src/core/kinds.ts";
import { newestIstioMinor } from "../../src/core/mesh.ts";
import { parseSettings } from "../../src/core/settings.ts";
import { runs } from "../support/long-form.ts";
import { team } from "../support/team.ts";

function entryOf(namespace: string, name: string, hosts: readonly string[] | null): ServiceEntry {
	return { metadata: { namespace, name }, spec: { hosts } };
}

const namespaces = fc.constantFrom("a", "b", "");
const names = fc.constantFrom("x", "y", "z");
const hosts = fc.option(fc.array(fc.constantFrom("p.com", "P.com.", "q.com", "*.com"), { maxLength: 3 }));
const entries = fc
	.tuple(namespaces, names, hosts)
	.map(([namespace, name, list]) => entryOf(namespace, name, list));

/** What may happen to the world, on the state and on a plain list of objects. */
type Command =
	| { readonly what: "set"; readonly entry: ServiceEntry }
	| { readonly what: "delete"; readonly namespace: string; readonly name: string }
	| { readonly what: "replace"; readonly entries: readonly ServiceEntry[] };

const commands = fc.array(
	fc.oneof(
		fc.record({ what: fc.constant("set" as const), entry: entries }),
		fc.record({ what: fc.constant("delete" as const), namespace: namespaces, name: names }),
		fc.record({ what: fc.constant("replace" as const), entries: fc.array(entries, { maxLength: 4 }) }),
	),
	{ maxLength: 12 },
);

function keyOf(entry: ServiceEntry): string {
	return `${entry.metadata?.namespace}/${entry.metadata?.name}`;
}

function play(state: ClusterState, model: Map<string, ServiceEntry>, command: Command): void {
	switch (command.what) {
		case "set":
			state.set("ServiceEntry", command.entry);
			model.set(keyOf(command.entry), command.entry);
			break;
		case "delete":
			state.delete("ServiceEntry", command.namespace, command.name);
			model.delete(`${command.namespace}/${command.name}`);
			break;
		case "replace":
			state.replace("ServiceEntry", command.entries);
			model.clear();
			for (const entry of command.entries) {
				model.set(keyOf(entry), entry);
			}
	}
}

function sorted(objects: Iterable<ServiceEntry>): readonly string[] {
	return [...objects].map((entry) => JSON.stringify(entry)).toSorted();
}

function has(entry: ServiceEntry, host: string): boolean {
	return (entry.spec?.hosts ?? []).some((each) => each.toLowerCase().replace(/\.$/, "") === host);
}

function found<I extends IndexName>(state: ClusterState, index: I, key: string): readonly unknown[] {
	return [...state.lookup(index, key)].map(
		(object) => (object as { metadata?: { name?: string } }).metadata?.name,
	);
}

describe("ClusterState", () => {
	it("ClusterState answers every question as a plain list of the objects would", () => {
		fc.assert(
			fc.property(commands, (list) => {
				const state = new ClusterState();
				const model = new Map<string, ServiceEntry>();
				for (const command of list) {
					play(state, model, command);
					const all = [...model.values()];
					assert.equal(state.count("ServiceEntry"), all.length);
					assert.deepEqual(sorted(state.all("ServiceEntry")), sorted(all));
					for (const namespace of ["a", "b", ""]) {
						const own = all.filter((entry) => entry.metadata?.namespace === namespace);
						assert.deepEqual(sorted(state.inNamespace("ServiceEntry", namespace)), sorted(own));
						for (const name of ["x", "y", "z"]) {
							assert.equal(state.get("ServiceEntry", namespace, name), model.get(`${namespace}/${name}`));
						}
					}
					for (const host of ["p.com", "q.com", "*.com"]) {
						const holders = all.filter((entry) => has(entry, host));
						assert.deepEqual(sorted(state.lookup("serviceEntryByHost", host)), sorted(holders));
					}
				}
			}),
			runs(1_000),
		);
	});

	it("ClusterState knows nothing at first, of every kind", () => {
		const state = new ClusterState();
		for (const kind of allKinds) {
			assert.equal(state.count(kind), 0);
			assert.equal(state.get(kind, "a", "x"), undefined);
			assert.deepEqual([...state.inNamespace(kind, "a")], []);
			state.delete(kind, "a", "x");
		}
	});

	it("ClusterState keeps kinds of one name apart", () => {
		const state = new ClusterState();
		state.set("IstioGateway", { metadata: { namespace: "a", name: "x" } });
		assert.equal(state.get("KubernetesGateway", "a", "x"), undefined);
	});

	it("ClusterState.set() takes what an object inherits for nothing", () => {
		const state = new ClusterState();
		assert.equal(state.get("Service", "__proto__", "constructor"), undefined);
		assert.deepEqual([...state.lookup("serviceEntryByHost", "constructor")], []);
	});

	it("ClusterState.lookup() finds Services by cluster IP and name, and no headless one by its None", () => {
		const state = new ClusterState();
		const service = (name: string, spec: Service["spec"]): Service => ({
			metadata: { namespace: "a", name },
			spec,
		});
		state.set("Service", service("web", { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1", "fd00::1"] }));
		state.set("Service", service("db", { clusterIP: "None", clusterIPs: ["None"] }));
		state.set("Service", service("out", { type: "ExternalName" }));
		assert.deepEqual(found(state, "serviceByAddress", "10.0.0.1"), ["web"]);
		assert.deepEqual(found(state, "serviceByAddress", "fd00::1"), ["web"]);
		assert.deepEqual(found(state, "serviceByAddress", "None"), []);
		assert.deepEqual(found(state, "serviceByAddress", ""), []);
		assert.deepEqual(found(state, "serviceByName", "db"), ["db"]);
		state.delete("Service", "a", "web");
		assert.deepEqual(found(state, "serviceByAddress", "fd00::1"), []);
	});

	it("ClusterState.lookup() finds DestinationRules by host, and forgets the host that one had", () => {
		const state = new ClusterState();
		const rule = (host: string | null): Resources["DestinationRule"] => ({
			metadata: { namespace: "a", name: "x" },
			spec: { host },
		});
		state.set("DestinationRule", rule("API.example.com."));
		assert.deepEqual(found(state, "destinationRuleByHost", "api.example.com"), ["x"]);
		state.set("DestinationRule", rule("b.example.com"));
		assert.deepEqual(found(state, "destinationRuleByHost", "api.example.com"), []);
		state.set("DestinationRule", rule(null));
		assert.deepEqual(found(state, "destinationRuleByHost", "b.example.com"), []);
	});
});

describe("ClusterState.policy()", () => {
	const renamed = (name: string, namespace: Namespace): Namespace => ({
		...namespace,
		metadata: { ...namespace.metadata, name },
	});

	it("ClusterState.policy() follows its Namespace: added, changed, deleted, replaced", () => {
		const state = new ClusterState(parseSettings({ defaults: { mode: "warn" } }).settings);
		assert.equal(state.policy("team").mode, "warn");
		state.set("Namespace", team({ mode: "audit" }));
		assert.equal(state.policy("team").mode, "audit");
		state.set("Namespace", team({ mode: "off" }));
		assert.equal(state.policy("team").mode, "off");
		state.delete("Namespace", "", "team");
		assert.equal(state.policy("team").mode, "warn");
		state.replace("Namespace", [team({ mode: "audit" }), renamed("other", team({ mode: "off" }))]);
		state.replace("Namespace", [renamed("other", team({ mode: "enforce" }))]);
		assert.equal(state.policy("team").mode, "warn");
		assert.equal(state.policy("other").mode, "enforce");
	});

	it("ClusterState.policy() is parsed when its Namespace changes, and not when it is asked for", () => {
		const state = new ClusterState();
		state.set("Namespace", team());
		assert.equal(state.policy("team"), state.policy("team"));
	});

	it("ClusterState.policy() of an unknown namespace has the cluster's defaults and its name filled in", () => {
		const { settings } = parseSettings({ limits: { allowedHosts: ["${namespace}.example.com"] } });
		const policy = new ClusterState(settings).policy("shop");
		assert.equal(policy.allowedHosts[0]?.patterns[0]?.text, "shop.example.com");
		assert.equal(policy.annotated, false);
	});

	it("ClusterState.policy() of unknown namespaces, asked in turns, follows the configuration and what becomes known", () => {
		const state = new ClusterState(parseSettings({ defaults: { mode: "warn" } }).settings);
		assert.equal(state.policy("one").namespace, "one");
		assert.equal(state.policy("two").namespace, "two");
		assert.equal(state.policy("one").mode, "warn");
		state.configure(parseSettings({ defaults: { mode: "audit" } }).settings);
		assert.equal(state.policy("one").mode, "audit");
		state.set("Namespace", renamed("one", team({ mode: "off" })));
		assert.equal(state.policy("one").mode, "off");
	});

	it("ClusterState.configure() parses every policy anew", () => {
		const state = new ClusterState();
		state.set("Namespace", team({}));
		assert.equal(state.policy("team").mode, "enforce");
		state.configure(parseSettings({ defaults: { mode: "audit" } }).settings);
		assert.equal(state.policy("team").mode, "audit");
		assert.equal(state.settings.defaults.mode, "audit");
	});
});

describe("ClusterState.mesh", () => {
	const withVersion = (istioVersion: string) => parseSettings({ istioVersion }).settings;

	it("ClusterState.mesh assumes the newest Istio where neither the settings nor the cluster say", () => {
		assert.equal(new ClusterState().mesh.istioMinor, newestIstioMinor);
		assert.deepEqual([...new ClusterState().mesh.revisions], ["default"]);
	});

	it("ClusterState.mesh takes the version of the settings before the one that was learned, in any order", () => {
		const state = new ClusterState(withVersion("1.28"));
		state.learn({ istioMinor: 30, revisions: new Set(["canary"]) });
		assert.equal(state.mesh.istioMinor, 28);
		state.configure(withVersion("1.29"));
		assert.equal(state.mesh.istioMinor, 29);
		assert.deepEqual([...state.mesh.revisions], ["canary"]);
	});

	it("ClusterState.mesh goes back to what was learned when the settings stop saying", () => {
		const state = new ClusterState(withVersion("1.28"));
		state.learn({ istioMinor: 30 });
		state.learn({ rootNamespace: "mesh-root" });
		state.configure(parseSettings({ clusterDomain: "corp.example" }).settings);
		assert.equal(state.mesh.istioMinor, 30);
		assert.equal(state.mesh.rootNamespace, "mesh-root");
		assert.equal(state.mesh.clusterDomain, "corp.example");
	});
});
