import { setTimeout as sleep } from "node:timers/promises";
import type { Arbitrary } from "fast-check";
import {
	array,
	boolean,
	constant,
	constantFrom,
	oneof,
	record,
	sample,
	subarray,
	uniqueArray,
} from "fast-check";
import type { ClusterState } from "../../src/core/cluster-state.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { parseSettings } from "../../src/core/settings.ts";
import type { GeneratedPolicies } from "../../src/export/authorization-policies.ts";
import { generatePolicies } from "../../src/export/authorization-policies.ts";
import { hasBit } from "../../src/reach/bits.ts";
import type { Reach } from "../../src/reach/reach.ts";
import { readReach } from "../../src/reach/reach.ts";
import { dumpConfig, waitForPush } from "./ads.ts";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import { inParallel } from "./generated-worlds.ts";
import type { Chain } from "./rbac-filters.ts";
import { lets, rbacChains } from "./rbac-filters.ts";
import { readWorld } from "./read-world.ts";
import { createNamespace, createWaypoint, useWaypoint } from "./world.ts";

const spots = ["a", "b", "c", "d"] as const;
type Spot = (typeof spots)[number];
const accounts = ["web", "job"] as const;

/** Which protocol a port has in every world, so that two entries of one host agree. */
const protocols: Readonly<Record<number, string>> = { 443: "TLS", 80: "HTTP", 8080: "", 9000: "TCP" };
const portItems = ["443", "80/HTTP", "443/TLS", "8000-8099", "80", "9000/TCP"];

/** Hosts of a world, and patterns of which `@` stands for its own domain. */
const hostNames = ["api.@", "files.@", "x.y.@", "*.y.@"];
const patterns = ["api.@", "files.@", "*.@", "*.y.@", "x.y.@", "*.elsewhere.example"];

interface NamespacePlan {
	readonly mode: "enforce" | "warn" | "off" | undefined;
	readonly allowed: readonly string[];
	readonly denied: readonly string[];
	readonly ports: readonly string[];
	readonly protocols: readonly string[];
	readonly accounts: readonly string[];
}

type Tenant = "none" | "allow all" | "allow a" | "deny b";

interface EntryPlan {
	readonly spot: Spot;
	readonly hosts: readonly string[];
	readonly ports: readonly number[];
	readonly tenant: Tenant;
}

/** Four namespaces with policies, and entries that are bound to one shared waypoint. */
export interface ReachPlan {
	readonly namespaces: Readonly<Record<Spot, NamespacePlan>>;
	readonly entries: readonly EntryPlan[];
	readonly limited: boolean;
}

const often = <T>(usual: T, other: Arbitrary<T>): Arbitrary<T> =>
	oneof({ weight: 3, arbitrary: constant(usual) }, { weight: 2, arbitrary: other });

const namespacePlan: Arbitrary<NamespacePlan> = record({
	mode: constantFrom<NamespacePlan["mode"]>(undefined, undefined, undefined, "enforce", "warn", "off"),
	allowed: often<readonly string[]>([], subarray(patterns)),
	denied: often<readonly string[]>([], subarray(patterns, { maxLength: 2 })),
	ports: often<readonly string[]>([], subarray(portItems)),
	protocols: often<readonly string[]>([], subarray(["TLS", "HTTP", "TCP"])),
	accounts: often<readonly string[]>([], subarray([...accounts])),
});

const entryPlan: Arbitrary<EntryPlan> = record({
	spot: constantFrom(...spots),
	hosts: oneof(
		{
			weight: 3,
			arbitrary: uniqueArray(constantFrom(...hostNames.slice(0, 3)), { minLength: 1, maxLength: 1 }),
		},
		{ weight: 1, arbitrary: constant(["*.y.@"]) },
		{ weight: 1, arbitrary: subarray(hostNames.slice(0, 3), { minLength: 2 }) },
	),
	ports: subarray([443, 80, 8080, 9000], { minLength: 1 }),
	tenant: constantFrom<Tenant>("none", "none", "allow all", "allow a", "deny b"),
});

const reachPlan: Arbitrary<ReachPlan> = record({
	namespaces: record({ a: namespacePlan, b: namespacePlan, c: namespacePlan, d: namespacePlan }),
	entries: array(entryPlan, { minLength: 1, maxLength: 4 }),
	limited: boolean(),
});

/** The plans of a seed, always the same ones. */
export function reachPlans(seed: number, count: number): readonly ReachPlan[] {
	return sample(reachPlan, { seed, numRuns: count });
}

interface Named {
	readonly plan: ReachPlan;
	readonly place: number;
	readonly domain: string;
}

const egress = "reach-egress";
const spotName = (place: number, spot: Spot): string => `reach-${place}${spot}`;

/** What one batch of worlds showed: how many pairs were compared, how many of them are refused, and what differs. */
export interface ReachResult {
	readonly pairs: number;
	readonly refused: number;
	readonly policies: number;
	readonly differences: readonly string[];
}

/**
 * Puts worlds into a cluster side by side, applies what Waymark generates for the whole of it, and compares what istiod
 * pushes to the waypoint with what the plans forbid, for every identity, host and port; then renames entries, and again.
 */
export async function compareWorlds(
	plane: ControlPlane,
	plans: readonly ReachPlan[],
	offset: number,
): Promise<ReachResult> {
	const worlds = plans.map((plan, place): Named => ({ plan, place, domain: `w${offset + place}.example` }));
	const settings: SettingsFile = {
		limits: { allowedHosts: ["*.elsewhere.example", ...worlds.flatMap(limitOf)] },
	};
	await createNamespace(plane, egress);
	await createWaypoint(plane, egress, "egress", { from: { from: "All" } });
	await inParallel(worlds, async ({ plan, place, domain }) => {
		for (const spot of spots) {
			await createNamespace(plane, spotName(place, spot), {
				labels: { "istio.io/dataplane-mode": "ambient" },
				annotations: annotationsOf(plan.namespaces[spot], domain),
			});
		}
	});
	const first = await round(plane, worlds, settings, "entry");
	const second = await round(plane, worlds, settings, "renamed");
	await clear(plane, worlds);
	return {
		pairs: first.pairs + second.pairs,
		refused: first.refused + second.refused,
		policies: first.policies + second.policies,
		differences: [...first.differences, ...second.differences],
	};
}

/** Some worlds lie outside the cluster's limits but for one host. */
function limitOf({ plan, domain }: Named): readonly string[] {
	return plan.limited ? [`api.${domain}`] : [`*.${domain}`];
}

function annotationsOf(plan: NamespacePlan, domain: string): Readonly<Record<string, string>> {
	const lists: Readonly<Record<string, readonly string[]>> = {
		"allowed-hosts": plan.allowed.map((each) => each.replace("@", domain)),
		"denied-hosts": plan.denied.map((each) => each.replace("@", domain)),
		"allowed-ports": plan.ports,
		"allowed-protocols": plan.protocols,
		"allowed-service-accounts": plan.accounts,
	};
	const written = Object.entries(lists).flatMap(([name, items]) =>
		items.length === 0 ? [] : [[`egress.waymark.dev/${name}`, items.join(", ")]],
	);
	return Object.fromEntries([
		...written,
		...(plan.mode === undefined ? [] : [["egress.waymark.dev/mode", plan.mode]]),
	]);
}

async function round(
	plane: ControlPlane,
	worlds: readonly Named[],
	settings: SettingsFile,
	prefix: string,
): Promise<ReachResult> {
	await clear(plane, worlds);
	await inParallel(worlds, async (world) => {
		for (const [index, entry] of world.plan.entries.entries()) {
			await plane.api.apply(entryObject(world, entry, `${prefix}-${index}`));
			const tenant = isAlone(world, entry) ? tenantPolicy(world, entry, `${prefix}-${index}`) : undefined;
			if (tenant !== undefined) {
				await plane.api.apply(tenant);
			}
		}
	});
	await waitForPush(plane);
	const generated = await generateWhenAllocated(plane, settings);
	await inParallel([...generated.policies] as KubeObject[], async (policy) => {
		await plane.api.apply(policy);
	});
	await waitForPush(plane, 60_000);
	return await compare(plane, worlds, settings, generated);
}

/** Hosts of one entry are told apart by their addresses, which istiod allocates in its own time. */
async function generateWhenAllocated(
	plane: ControlPlane,
	settings: SettingsFile,
): Promise<GeneratedPolicies> {
	const deadline = Date.now() + 60_000;
	for (;;) {
		const generated = generate(await readCluster(plane, settings));
		if (generated.remainders.length === 0 || Date.now() > deadline) {
			return generated;
		}
		await sleep(500);
	}
}

async function readCluster(plane: ControlPlane, settings: SettingsFile): Promise<ClusterState> {
	const world = await readWorld(plane);
	world.configure(parseSettings(settings).settings);
	return world;
}

function generate(world: ClusterState): GeneratedPolicies {
	return generatePolicies(readReach(world, "2026-11-26"), world, "2026-11-26");
}

function entryObject({ place, domain }: Named, entry: EntryPlan, name: string): KubeObject {
	const isWild = entry.hosts.some((host) => host.startsWith("*"));
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: { namespace: spotName(place, entry.spot), name, labels: useWaypoint("egress", egress) },
		spec: {
			hosts: entry.hosts.map((host) => host.replace("@", domain)),
			location: "MESH_EXTERNAL",
			resolution: isWild ? "DYNAMIC_DNS" : "DNS",
			ports: portsOf(entry).map((number) => ({
				number,
				name: `p${number}`,
				...(protocols[number] === "" ? {} : { protocol: protocols[number] }),
			})),
		},
	};
}

/** DYNAMIC_DNS takes HTTP only, and several hosts take no port of plain TCP. */
function portsOf(entry: EntryPlan): readonly number[] {
	if (entry.hosts.some((host) => host.startsWith("*"))) {
		return [80];
	}
	const ports = entry.ports.filter((port) => entry.hosts.length === 1 || port === 443 || port === 80);
	return ports.length === 0 ? [443] : ports;
}

/** Whether no other entry has a host of this one: of two, the waypoint has either's policies. */
function isAlone({ plan }: Named, entry: EntryPlan): boolean {
	return plan.entries.every(
		(each) => each === entry || !each.hosts.some((host) => entry.hosts.includes(host)),
	);
}

function tenantPolicy({ place }: Named, entry: EntryPlan, name: string): KubeObject | undefined {
	const one = (spot: Spot): object => ({ from: [{ source: { namespaces: [spotName(place, spot)] } }] });
	const specs: Readonly<Record<Tenant, object | undefined>> = {
		none: undefined,
		"allow all": { rules: [{}] },
		"allow a": { rules: [one("a")] },
		"deny b": { action: "DENY", rules: [one("b")] },
	};
	const spec = specs[entry.tenant];
	return spec === undefined
		? undefined
		: {
				apiVersion: "security.istio.io/v1",
				kind: "AuthorizationPolicy",
				metadata: { namespace: spotName(place, entry.spot), name: `tenant-${name}` },
				spec: { ...spec, targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name }] },
			};
}

async function clear(plane: ControlPlane, worlds: readonly Named[]): Promise<void> {
	await inParallel(worlds, async ({ place }) => {
		for (const spot of spots) {
			for (const kind of ["ServiceEntry.networking.istio.io", "AuthorizationPolicy.security.istio.io"]) {
				await plane.api.request("DELETE", await plane.api.collectionPath(kind, spotName(place, spot)));
			}
		}
	});
}

/** What a plan forbids, worked out from the plan alone. */
function forbids(
	{ plan, domain }: Named,
	own: NamespacePlan,
	host: string,
	port: number,
	account: string,
): boolean {
	if (own.mode === "off" || own.mode === "warn") {
		return false;
	}
	const name = host.replace(domain, "@");
	const isLimited = plan.limited && name !== "api.@";
	const protocol = protocols[port] ?? "";
	const coversName = (pattern: string): boolean =>
		pattern.startsWith("*") ? name !== pattern.slice(2) && name.endsWith(pattern.slice(1)) : pattern === name;
	const touches = (pattern: string): boolean =>
		coversName(pattern) || (name.startsWith("*") && pattern.endsWith(name.slice(1)));
	const coversPort = (item: string): boolean => {
		const [range = "", wanted] = item.split("/");
		const [from = 0, to = from] = range.split("-").map(Number);
		return from <= port && port <= to && (wanted === undefined || wanted === protocol);
	};
	return (
		isLimited ||
		(own.allowed.length > 0 && !own.allowed.some(coversName)) ||
		own.denied.some(touches) ||
		(own.ports.length > 0 && !own.ports.some(coversPort)) ||
		(own.protocols.length > 0 && !own.protocols.includes(protocol)) ||
		(own.accounts.length > 0 && !own.accounts.includes(account))
	);
}

async function compare(
	plane: ControlPlane,
	worlds: readonly Named[],
	settings: SettingsFile,
	{ policies, remainders }: GeneratedPolicies,
): Promise<ReachResult> {
	const dump = await dumpConfig(plane, {
		type: "waypoint",
		namespace: egress,
		name: "egress",
		labels: { "gateway.networking.k8s.io/gateway-name": "egress" },
	});
	const world = await readCluster(plane, settings);
	const reach = readReach(world, "2026-11-26");
	const differences: string[] = remainders.map(({ host, reason }) => `not generated for ${host}: ${reason}`);
	let pairs = 0;
	let refused = 0;
	const seen = new Set<string>();
	for (const [name, chain] of rbacChains(dump)) {
		const [direction, portText, , host = ""] = name.split("|");
		const own = worlds.find(({ domain }) => host.endsWith(`.${domain}`));
		if (direction !== "inbound-vip" || own === undefined) {
			continue;
		}
		seen.add(host);
		for (const other of worlds) {
			const found = compareChain(chain, { own, other, host, port: Number(portText) }, reach);
			pairs += spots.length * accounts.length;
			refused += found.refused;
			differences.push(...found.differences.map((each) => `${each} in ${name}`));
		}
	}
	const missing = reach.outlets.filter(
		({ host, waypoint }) => waypoint === `${egress}/egress` && !seen.has(host),
	);
	differences.push(...missing.map(({ host }) => `${host} has no filter chain`));
	return { pairs, refused, policies: policies.length, differences };
}

interface Pair {
	/** The world of the host. */
	readonly own: Named;
	/** The world of the clients. */
	readonly other: Named;
	readonly host: string;
	readonly port: number;
}

/** Every identity of a world against one filter chain. */
function compareChain(
	{ filters, addresses }: Chain,
	pair: Pair,
	reach: Reach,
): { readonly refused: number; readonly differences: readonly string[] } {
	const { own, other, host, port } = pair;
	const differences: string[] = [];
	let refused = 0;
	for (const spot of spots) {
		const namespace = spotName(other.place, spot);
		const plan = other === own ? own.plan.namespaces[spot] : foreign(other, spot);
		const isShut = tenantRefuses(own, other === own ? spot : undefined, host);
		const verdicts = accounts.map((account) => {
			const isLetAs = (domain: string): boolean =>
				lets(filters, {
					principal: `spiffe://${domain}/ns/${namespace}/sa/${account}`,
					address: addresses[0] ?? "",
					port,
				});
			const isLet = isLetAs("cluster.local");
			// What is generated names no trust domain, so it means the same in a mesh that calls its own otherwise.
			if (isLet !== isLetAs("mesh.example")) {
				differences.push(`${namespace}/${account} → ${host}:${port}: depends on the trust domain`);
			}
			refused += isLet ? 0 : 1;
			if (isLet === (isShut || forbids(own, plan, host, port, account))) {
				const verdict = isLet ? "let through, and forbidden" : "refused, and allowed";
				differences.push(`${namespace}/${account} → ${host}:${port}: ${verdict}`);
			}
			return isLet;
		});
		differences.push(...disagreement(reach, host, port, namespace, verdicts));
	}
	return { refused, differences };
}

/** A namespace of another world: its lists name nothing of this one but what stands for everything. */
function foreign(other: Named, spot: Spot): NamespacePlan {
	const plan = other.plan.namespaces[spot];
	const strange = (items: readonly string[]): readonly string[] => items.map(() => "none.of.this.world");
	return { ...plan, allowed: strange(plan.allowed), denied: strange(plan.denied) };
}

/** What a tenant's own policy refuses; where several entries have the host, tenants are not compared. */
function tenantRefuses({ plan, domain }: Named, spot: Spot | undefined, host: string): boolean {
	const owners = plan.entries.filter(({ hosts }) => hosts.some((each) => each.replace("@", domain) === host));
	const [owner] = owners;
	const tenant = owner !== undefined && isAlone({ plan, place: 0, domain }, owner) ? owner.tenant : "none";
	return tenant === "allow a" ? spot !== "a" : tenant === "deny b" && spot === "b";
}

/** Where `readReach` says otherwise than the waypoint's filters; hosts of one entry only. */
function disagreement(
	reach: Reach,
	host: string,
	port: number,
	namespace: string,
	verdicts: readonly boolean[],
): readonly string[] {
	const place = reach.namespaces.indexOf(namespace);
	const outlets = reach.outlets.filter((each) => each.host === host && each.port === port);
	const served = outlets.find((each) => hasBit(each.served, place));
	if (outlets.length !== 1 || served === undefined) {
		return [];
	}
	const said = hasBit(served.refused, place) ? "none" : hasBit(served.partly, place) ? "some" : "all";
	const truth = verdicts.every(Boolean) ? "all" : verdicts.some(Boolean) ? "some" : "none";
	// A policy may leave out a service account that is not asked for here.
	const fits = said === truth || (said === "some" && verdicts.length > 0);
	return fits ? [] : [`readReach lets ${said} of ${namespace} to ${host}:${port}, and the waypoint ${truth}`];
}

/** The namespaces that so many worlds of a batch live in. */
export function reachNamespaces(count: number): readonly string[] {
	return [
		egress,
		...Array.from({ length: count }, (_, place) => spots.map((spot) => spotName(place, spot))).flat(),
	];
}
