import type { Path } from "../core/finding.ts";
import type { Inventory } from "../core/inventory.ts";
import type { WaypointReference } from "../core/settings.ts";
import { selectsEgressPods } from "../istio/egress/services.ts";
import type { BoundEntry } from "./bound-entry.ts";
import { plainMetadata } from "./entries.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, leavesOf, listOf, objectName, textOf, textsOf, valueAt, without } from "./fields.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { NotedOutcome } from "./ledger.ts";
import { Ledger } from "./ledger.ts";
import type { PortDemand } from "./port-demands.ts";
import type { PlacedPolicy } from "./port-levels.ts";
import { forClientPorts, withoutDoubleTls } from "./port-levels.ts";
import { isRuleFor, ruleHost } from "./rule-lookup.ts";
import type { CarriedRule } from "./rules-at-waypoint.ts";
import { noteRulesAtWaypoint } from "./rules-at-waypoint.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";
import { soleSubset, withSoleSubset } from "./subsets.ts";

/** DestinationRules for the hosts of a bundle, made to work at the waypoint, and the old ones that they replace. */
export interface HostRules extends StepResult {
	readonly replaced: readonly InputObject[];
	/** Entries that must not be bound, since the waypoint would connect in plain text, by the reason. */
	readonly blocked: ReadonlyMap<BoundEntry, string>;
}

/** Carries every DestinationRule of the hosts over, and writes those that originate TLS where the input has none. */
export function hostRules(conversion: Conversion, entries: readonly BoundEntry[]): HostRules {
	const step = beginStep(conversion);
	const carried = step.bundle.participants
		.filter(({ role }) => role === "host rule")
		.flatMap(({ input }) => carryRule(input, step, entries));
	const blocked = new Map(
		carried.flatMap(({ entry, lost }) => (lost === undefined ? [] : [[entry, lost] as const])),
	);
	// A rule for the host that the gateway did not read says that the input is whole, so that nothing is made up.
	const served = new Set([
		...carried.map(({ host }) => host),
		...step.bundle.participants.flatMap(({ role, input }) => (role === "host rule" ? [ruleHost(input)] : [])),
		// An XBackend says by itself whether TLS begins.
		...step.bundle.participants.flatMap(({ role, hosts }) => (role === "backend" ? hosts : [])),
	]);
	const assumed = entries.flatMap((entry) =>
		entry.hosts.filter((host) => !served.has(host)).flatMap((host) => assumedRule(host, entry, step)),
	);
	const outputs = [...carried.flatMap(({ output }) => output ?? []), ...assumed];
	noteRulesAtWaypoint(step, entries, carried, assumed);
	return {
		...endStep(step, [...outputs, ...secretReaders(step, outputs, entries)]),
		replaced: carried
			.filter(({ input, output }) => output?.base === input && isElsewhere(input, output))
			.map(({ input }) => input),
		blocked,
	};
}

function isElsewhere(input: InputObject, output: Output): boolean {
	return fieldsOf(output.object.metadata).namespace !== input.namespace;
}

/** What a DestinationRule becomes for each host for which the old gateway read it. */
function carryRule(input: InputObject, step: Step, entries: readonly BoundEntry[]): readonly CarriedRule[] {
	const { bundle, ledger, notes } = step;
	const own = ruleHost(input);
	const hosts = bundle.hosts.filter((host) => isRuleFor(host, input));
	const read = hosts.filter((host) => bundle.rulesAtGateway.get(host)?.includes(input));
	if (read.length === 0) {
		noteUnread(input, own, step);
		return [];
	}
	noteStreams(input, step);
	const carried: CarriedRule[] = [];
	const outcomes: NotedOutcome[] = [];
	for (const host of read) {
		const part = { ...step, ledger: new Ledger() };
		const entry = entries.find((each) => each.hosts.includes(host));
		if (entry === undefined) {
			noteHomeless(input, host, part);
		} else {
			const lost = noteIstioMutual(input, host, part);
			carried.push({ input, host, entry, lost, output: continueRule(input, host, entry, part) });
		}
		outcomes.push(...part.ledger.outcomes);
	}
	// What is lost for one of several hosts is lost, whatever becomes of it for the others.
	for (const isLost of [false, true]) {
		for (const { path, outcome, note } of outcomes.filter(
			(each) => isLost === (each.outcome === "not carried"),
		)) {
			ledger.note(input, path, outcome, note);
		}
	}
	const written = carried.filter(({ output }) => output !== undefined).map(({ host }) => host);
	if (own.startsWith("*") && written.some((host) => host !== own)) {
		notes.push(
			`DestinationRule \`${input.namespace}/${input.name}\` is for \`${own}\`: it stays as it is, and ${written.map((host) => `\`${host}\``).join(", ")} ${written.length === 1 ? "gets one" : "get one each"} of ${written.length === 1 ? "its" : "their"} own, whose ports are those of the clients.`,
		);
	}
	return carried;
}

function noteUnread(input: InputObject, own: string, { ledger, notes }: Step): void {
	const reason = "it stays as it is: the egress gateway did not read it for these hosts";
	ledger.note(input, [], "implied", reason);
	if (!own.startsWith("*")) {
		notes.push(
			`The egress gateway did not read DestinationRule \`${input.namespace}/${input.name}\` for \`${own}\`: it is not exported to the gateway's namespace, is in a namespace where the gateway does not look, or another one goes before it. It stays as it is.`,
		);
	}
}

/** A rule for a host of which the input says nothing else. */
function noteHomeless(input: InputObject, host: string, { ledger, notes, inventory }: Step): void {
	if (!isForGateway(input, inventory)) {
		ledger.note(input, [], "carried", "stays as it is");
		return;
	}
	const reason = `no route and no ServiceEntry leads to ${host}: add those to the input`;
	ledger.note(input, [], "not carried", reason);
	notes.push(
		`DestinationRule \`${input.namespace}/${input.name}\` holds only for the pods of the egress gateway, and ${reason}.`,
	);
}

function isForGateway(input: InputObject, inventory: Inventory): boolean {
	const labels = fieldsOf(fieldsOf(fieldsOf(input.object.spec).workloadSelector).matchLabels);
	return selectsEgressPods(labels as Readonly<Record<string, string>>, inventory);
}

/** The hosts of an entry share its ports: what the routes say of one of them holds for all. */
function movedPorts({ hosts }: BoundEntry, demands: readonly PortDemand[]): readonly PortDemand[] {
	const moved = demands.filter(
		(demand) =>
			hosts.includes(demand.host) &&
			demand.traffic === "HTTP" &&
			demand.target !== undefined &&
			demand.target !== demand.port &&
			demand.target === 443,
	);
	return [...new Map(moved.map((demand) => [demand.port, demand])).values()];
}

function assumedRule(host: string, entry: BoundEntry, { demands, notes }: Step): readonly Output[] {
	const moved = movedPorts(entry, demands);
	if (moved.length === 0) {
		return [];
	}
	notes.push(
		`The gateway sent \`${host}\` to port 443, and the input has no DestinationRule that says how TLS begins there. One with mode SIMPLE is written: check it against the DestinationRule in the cluster.`,
	);
	const tls = host.startsWith("*") ? { mode: "SIMPLE" } : { mode: "SIMPLE", sni: host };
	const portLevelSettings = moved.map((demand) => ({ port: { number: demand.port }, tls }));
	const object = {
		apiVersion: "networking.istio.io/v1",
		kind: "DestinationRule",
		metadata: { name: `${objectName(host)}-tls`, namespace: entry.namespace },
		spec: { host, trafficPolicy: { portLevelSettings } },
	};
	return [{ stage: "2-switch", object, purpose: `begins TLS for ${host} at the waypoint` }];
}

function continueRule(input: InputObject, host: string, entry: BoundEntry, step: Step): Output | undefined {
	const { ledger, notes, inventory } = step;
	ledger.note(input, [], "carried", "the same DestinationRule, at the waypoint");
	ledger.note(input, ["status"], "implied", "istiod writes it");
	const old = { ...fieldsOf(input.object.spec), host };
	const isWide = ruleHost(input) !== host;
	let spec: Fields = old;
	if (isForGateway(input, inventory)) {
		ledger.note(input, ["spec", "workloadSelector"], "implied", "the waypoint takes the gateway's place");
		spec = without(spec, "workloadSelector");
	}
	// Before a subset's settings become the host's: what is not carried is named where it stands.
	spec = withoutTunnels(input, spec, step);
	spec = withSoleSubset(input, host, spec, step);
	const foreign = entry.waypoint.namespace !== entry.namespace;
	if (foreign && textsOf(spec.exportTo).length > 0 && !textsOf(spec.exportTo).includes("*")) {
		ledger.note(input, ["spec", "exportTo"], "not carried", "the waypoint in another namespace must see it");
		spec = without(spec, "exportTo");
	}
	spec = carriedPolicies(input, host, entry, spec, step);
	const near =
		input.namespace === entry.namespace ||
		input.namespace === entry.waypoint.namespace ||
		input.namespace === inventory.mesh.rootNamespace;
	const unchanged = JSON.stringify(spec) === JSON.stringify(old);
	if (unchanged && near) {
		ledger.note(input, [], "carried", "stays as it is, the waypoint reads it");
		return undefined;
	}
	const namespace = near ? input.namespace : entry.namespace;
	if (!near) {
		const path = ["metadata", "namespace"];
		ledger.note(input, path, "carried", `as ${namespace}: a waypoint does not look into ${input.namespace}`);
	}
	if (!near && !isWide) {
		notes.push(
			`DestinationRule \`${input.namespace}/${input.name}\` moves to namespace \`${namespace}\`, where the waypoint looks for it.`,
		);
	}
	const metadata = plainMetadata(input, ledger);
	const name = isWide ? objectName(`${input.name.slice(0, 30)}-${host}`) : input.name;
	return {
		stage: "2-switch",
		object: { ...without(input.object, "status"), metadata: { ...metadata, name, namespace }, spec },
		...(isWide ? {} : { base: input }),
		purpose: `settings for ${host} at the waypoint`,
	};
}

/** The policies of the host and of its subsets, for the waypoint. */
function carriedPolicies(
	input: InputObject,
	host: string,
	entry: BoundEntry,
	spec: Fields,
	step: Step,
): Fields {
	const names = listOf(fieldsOf(input.object.spec).subsets).map((each) => fieldsOf(each).name);
	const sole = names.indexOf(soleSubset(host, step.bundle));
	const path = sole < 0 ? ["spec", "trafficPolicy"] : ["spec", "subsets", sole, "trafficPolicy"];
	const whole = { input, path, policy: fieldsOf(spec.trafficPolicy) };
	const trafficPolicy = carriedPolicy(whole, host, entry, step, true);
	const subsets = listOf(spec.subsets).map((subset) => {
		const own = fieldsOf(subset);
		const at = ["spec", "subsets", names.indexOf(own.name), "trafficPolicy"];
		const placed = { input, path: at, policy: fieldsOf(own.trafficPolicy) };
		const policy = carriedPolicy(placed, host, entry, step, false);
		return own.trafficPolicy === undefined ? own : { ...own, trafficPolicy: policy };
	});
	const result: Fields = { ...spec, trafficPolicy, subsets };
	const isEmpty = [
		...(Object.keys(trafficPolicy).length === 0 ? ["trafficPolicy"] : []),
		...(subsets.length === 0 ? ["subsets"] : []),
	];
	return without(result, ...isEmpty);
}

/** A policy with its settings at the clients' ports, and its certificates in a Secret. */
function carriedPolicy(
	placed: PlacedPolicy,
	host: string,
	entry: BoundEntry,
	step: Step,
	isWhole: boolean,
): Fields {
	const moved = forClientPorts(placed, entry, step);
	const policy = isWhole ? withoutDoubleTls({ ...placed, policy: moved }, entry, step) : moved;
	const secret = (settings: Fields): Fields => withSecret(placed.input, host, settings, entry, step);
	return {
		...secret(policy),
		...(policy.portLevelSettings === undefined
			? {}
			: { portLevelSettings: listOf(policy.portLevelSettings).map(fieldsOf).map(secret) }),
	};
}

/** The paths of everything called `tls` in an object. */
function tlsPaths(value: unknown): readonly Path[] {
	const paths = [...leavesOf(value)].flatMap((path) => {
		const at = path.indexOf("tls");
		return at < 0 ? [] : [path.slice(0, at + 1)];
	});
	return [...new Map(paths.map((path) => [path.join("\0"), path])).values()];
}

/** Says that the number of streams in one connection is lost: a waypoint's own connections have no such limit. */
function noteStreams(input: InputObject, { ledger }: Step): void {
	for (const path of leavesOf(input.object)) {
		if (path.at(-1) === "maxConcurrentStreams") {
			ledger.note(input, path, "not carried", "a waypoint does not limit the streams of its connections");
		}
	}
}

/** Says that ISTIO_MUTUAL to a host outside is lost; undefined where no settings have it. */
function noteIstioMutual(input: InputObject, host: string, { ledger, notes }: Step): string | undefined {
	const paths = tlsPaths(input.object).filter(
		(path) => fieldsOf(valueAt(input.object, path)).mode === "ISTIO_MUTUAL",
	);
	if (paths.length === 0) {
		return undefined;
	}
	const reason = `a waypoint passes over ISTIO_MUTUAL: it has no way to show a workload's certificate to ${host} and would connect in plain text`;
	for (const path of paths) {
		ledger.note(input, path, "not carried", reason);
		ledger.note(input, [...path, "mode"], "not carried", reason);
	}
	notes.push(
		`DestinationRule \`${input.namespace}/${input.name}\` has ISTIO_MUTUAL for \`${host}\`: ${reason}. Give the waypoint a certificate of its own (mode MUTUAL with credentialName) that the host trusts, or leave this host at the egress gateway.`,
	);
	return reason;
}

/** What a waypoint's service account needs to read the Secrets of its TLS settings, as the gateway charts bring it. */
function secretReaders(
	{ bundle }: Step,
	outputs: readonly Output[],
	entries: readonly BoundEntry[],
): readonly Output[] {
	const needing = entries.filter((entry) =>
		entry.hosts.some((host) => {
			const written = outputs.map(({ object }) => object).filter((object) => ruleHost({ object }) === host);
			const read = (bundle.rulesAtGateway.get(host) ?? []).map(({ object }) => object);
			return [...written, ...read].some((object) =>
				tlsPaths(object).some((path) => fieldsOf(valueAt(object, path)).credentialName !== undefined),
			);
		}),
	);
	const waypoints = new Map(
		needing.map(({ waypoint }) => [`${waypoint.namespace}/${waypoint.name}`, waypoint]),
	);
	return [...waypoints.values()].flatMap(secretReader);
}

/** istiod asks whether the proxy's account may list Secrets there (pilot/pkg/credentials/kube/secrets.go: Authorize). */
function secretReader({ namespace, name }: WaypointReference): readonly Output[] {
	const metadata = { name: `${name}-secrets`, namespace };
	const group = "rbac.authorization.k8s.io";
	const purpose = `lets the waypoint ${namespace}/${name} read the Secrets of its TLS settings`;
	const role = { apiVersion: `${group}/v1`, kind: "Role", metadata };
	const binding = { apiVersion: `${group}/v1`, kind: "RoleBinding", metadata };
	return [
		{
			stage: "1-add",
			object: {
				...role,
				rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "watch", "list"] }],
			},
			purpose,
		},
		{
			stage: "1-add",
			object: {
				...binding,
				roleRef: { apiGroup: group, kind: "Role", name: metadata.name },
				subjects: [{ kind: "ServiceAccount", name, namespace }],
			},
			purpose,
		},
	];
}

/** Files of a proxy's pod, and the keys that istiod looks for in a Secret in their place. */
const fileKeys = {
	clientCertificate: "tls.crt",
	privateKey: "tls.key",
	caCertificates: "ca.crt",
	caCrl: "ca.crl",
} as const;

/** Fields of TLS settings that name files; `system` is no file, but the CAs that a waypoint has too. */
function fileFieldsOf(tls: Fields): readonly (keyof typeof fileKeys)[] {
	return (["clientCertificate", "privateKey", "caCertificates", "caCrl"] as const).filter(
		(field) => textOf(tls[field]) !== undefined && !(field === "caCertificates" && tls[field] === "system"),
	);
}

/** Certificates in files of the gateway's pod become a Secret: a waypoint has no such files. */
function withSecret(
	input: InputObject,
	host: string,
	settings: Fields,
	{ waypoint }: BoundEntry,
	{ ledger, notes }: Step,
): Fields {
	const tls = fieldsOf(settings.tls);
	const files = fileFieldsOf(tls);
	if (textOf(tls.credentialName) !== undefined) {
		notes.push(
			`The Secret \`${String(tls.credentialName)}\` for \`${host}\` must stand in the waypoint's namespace \`${waypoint.namespace}\`, and the waypoint's service account \`${waypoint.name}\` must be allowed to list Secrets there: \`1-add/\` has a Role and a RoleBinding for it.`,
		);
	}
	if (files.length === 0) {
		return settings;
	}
	const secret = `${objectName(host)}-client`;
	const needsAuthority =
		textOf(tls.caCertificates) === undefined || tls.caCertificates === "system"
			? tls.insecureSkipVerify !== true
			: false;
	const literal = files.map((field) => `--from-file=${fileKeys[field]}=${String(tls[field])}`).join(" ");
	const authority = needsAuthority
		? " Add the certificates of the CAs that the host's certificate comes from as `--from-file=ca.crt=FILE`: with a Secret a waypoint does not take the system's."
		: "";
	notes.push(
		`The certificates for \`${host}\` were files in the gateway's pod, which a waypoint does not have. Create the Secret in the waypoint's namespace: \`kubectl create secret generic -n ${waypoint.namespace} ${secret} ${literal}\`.${authority} The waypoint's service account \`${waypoint.name}\` must be allowed to list Secrets there: \`1-add/\` has a Role and a RoleBinding for it.`,
	);
	for (const path of pathsOfFields(input, files)) {
		ledger.note(input, path, "not carried", `a waypoint has no such file: it becomes the Secret ${secret}`);
	}
	return { ...settings, tls: { ...without(tls, ...files, "caCertificates"), credentialName: secret } };
}

function pathsOfFields(input: InputObject, names: readonly string[]): readonly Path[] {
	const { trafficPolicy, subsets } = fieldsOf(input.object.spec);
	const policies = [
		{ base: ["spec", "trafficPolicy"], policy: fieldsOf(trafficPolicy) },
		...listOf(subsets).map((subset, index) => ({
			base: ["spec", "subsets", index, "trafficPolicy"],
			policy: fieldsOf(fieldsOf(subset).trafficPolicy),
		})),
	];
	return policies.flatMap(({ base, policy }) => [
		...names.map((name) => [...base, "tls", name]),
		...listOf(policy.portLevelSettings).flatMap((_, index) =>
			names.map((name) => [...base, "portLevelSettings", index, "tls", name]),
		),
	]);
}

/** A tunnel through a forward proxy is the client's business; a waypoint connects to the host itself. */
function withoutTunnels(input: InputObject, spec: Fields, { ledger, notes }: Step): Fields {
	const reason = "a waypoint opens no CONNECT tunnel: register the proxy itself, or let it be transparent";
	let found = false;
	const strip = (policy: Fields, path: readonly (string | number)[]): Fields => {
		if (policy.tunnel === undefined) {
			return policy;
		}
		found = true;
		ledger.note(input, [...path, "tunnel"], "not carried", reason);
		return without(policy, "tunnel");
	};
	const trafficPolicy = strip(fieldsOf(spec.trafficPolicy), ["spec", "trafficPolicy"]);
	const subsets = listOf(spec.subsets).map((subset, index) => {
		const own = fieldsOf(subset);
		const policy = strip(fieldsOf(own.trafficPolicy), ["spec", "subsets", index, "trafficPolicy"]);
		return own.trafficPolicy === undefined ? own : { ...own, trafficPolicy: policy };
	});
	if (!found) {
		return spec;
	}
	notes.push(
		`DestinationRule \`${input.namespace}/${input.name}\` tunnels through a forward proxy: ${reason}.`,
	);
	return {
		...without(spec, "trafficPolicy", "subsets"),
		...(Object.keys(trafficPolicy).length > 0 ? { trafficPolicy } : {}),
		...(subsets.length > 0 ? { subsets } : {}),
	};
}
