import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import { selectsEgressPods } from "../istio/egress/services.ts";
import type { BoundEntry, Conversion } from "./entries.ts";
import { plainMetadata } from "./entries.ts";
import type { Item, Output } from "./item.ts";
import type { Fields } from "./raw.ts";
import { fieldsOf, listOf, objectName, textOf, textsOf, without } from "./raw.ts";
import { withSoleSubset } from "./subsets.ts";
import type { Wish } from "./wishes.ts";

/** DestinationRules for the hosts of a bundle, made to work at the waypoint, and the old ones that they replace. */
export interface HostRules {
	readonly outputs: readonly Output[];
	readonly replaced: readonly Item[];
}

/** Carries every DestinationRule of the hosts over, and writes those that originate TLS where the input has none. */
export function hostRules(conversion: Conversion, entries: readonly BoundEntry[]): HostRules {
	const outputs: Output[] = [];
	const replaced: Item[] = [];
	const served = new Set<string>();
	for (const { role, item } of conversion.bundle.parts) {
		if (role !== "host rule") {
			continue;
		}
		const host = canonicalHost(textOf(fieldsOf(item.object.spec).host) ?? "");
		const entry = entries.find((each) => each.hosts.includes(host));
		served.add(host);
		if (entry === undefined) {
			noteHomeless(item, host, conversion);
			continue;
		}
		const output = continueRule(item, host, entry, conversion);
		if (output !== undefined) {
			outputs.push(output);
			if (fieldsOf(output.object.metadata).namespace !== item.namespace) {
				replaced.push(item);
			}
		}
	}
	for (const entry of entries) {
		for (const host of entry.hosts.filter((each) => !served.has(each))) {
			const moved = movedPorts(host, conversion.wishes);
			if (moved.length > 0) {
				outputs.push(assumedRule(host, moved, entry, conversion));
			}
		}
	}
	return { outputs, replaced };
}

/** A rule for a host of which the input says nothing else. */
function noteHomeless(item: Item, host: string, { ledger, notes, inventory }: Conversion): void {
	if (!isForGateway(item, inventory)) {
		ledger.note(item, [], "carried", "stays as it is");
		return;
	}
	const reason = `no route and no ServiceEntry leads to ${host}: add those to the input`;
	ledger.note(item, [], "not carried", reason);
	notes.push(
		`DestinationRule \`${item.namespace}/${item.name}\` holds only for the pods of the egress gateway, and ${reason}.`,
	);
}

function isForGateway(item: Item, inventory: Inventory): boolean {
	const labels = fieldsOf(fieldsOf(fieldsOf(item.object.spec).workloadSelector).matchLabels);
	return selectsEgressPods(labels as Readonly<Record<string, string>>, inventory);
}

function movedPorts(host: string, wishes: readonly Wish[]): readonly Wish[] {
	return wishes.filter(
		(wish) =>
			wish.host === host &&
			wish.traffic === "HTTP" &&
			wish.target !== undefined &&
			wish.target !== wish.port &&
			wish.target === 443,
	);
}

function assumedRule(host: string, moved: readonly Wish[], entry: BoundEntry, { notes }: Conversion): Output {
	notes.push(
		`The gateway sent \`${host}\` to port 443, and the input has no DestinationRule that says how TLS begins there. One with mode SIMPLE is written: check it against the DestinationRule in the cluster.`,
	);
	const tls = host.startsWith("*") ? { mode: "SIMPLE" } : { mode: "SIMPLE", sni: host };
	return {
		stage: "2-switch",
		object: {
			apiVersion: "networking.istio.io/v1",
			kind: "DestinationRule",
			metadata: { name: `${objectName(host)}-tls`, namespace: entry.namespace },
			spec: {
				host,
				trafficPolicy: {
					portLevelSettings: moved.map((wish) => ({ port: { number: wish.port }, tls })),
				},
			},
		},
		purpose: `begins TLS for ${host} at the waypoint`,
	};
}

function continueRule(
	item: Item,
	host: string,
	entry: BoundEntry,
	conversion: Conversion,
): Output | undefined {
	const { ledger, notes, inventory } = conversion;
	ledger.note(item, [], "carried", "the same DestinationRule, at the waypoint");
	ledger.note(item, ["status"], "implied", "istiod writes it");
	let spec = fieldsOf(item.object.spec);
	if (isForGateway(item, inventory)) {
		ledger.note(item, ["spec", "workloadSelector"], "implied", "the waypoint takes the gateway's place");
		spec = without(spec, "workloadSelector");
	}
	spec = withSoleSubset(item, spec, conversion);
	const foreign = entry.waypoint.namespace !== entry.namespace;
	if (foreign && textsOf(spec.exportTo).length > 0 && !textsOf(spec.exportTo).includes("*")) {
		ledger.note(item, ["spec", "exportTo"], "not carried", "the waypoint in another namespace must see it");
		spec = without(spec, "exportTo");
	}
	const policy = carriedPolicy(item, host, entry, fieldsOf(spec.trafficPolicy), conversion);
	spec = Object.keys(policy).length > 0 ? { ...spec, trafficPolicy: policy } : without(spec, "trafficPolicy");
	spec = withoutTunnels(item, spec, conversion);
	const near =
		item.namespace === entry.namespace ||
		item.namespace === entry.waypoint.namespace ||
		item.namespace === inventory.mesh.rootNamespace;
	const unchanged = JSON.stringify(spec) === JSON.stringify(fieldsOf(item.object.spec));
	if (unchanged && near) {
		ledger.note(item, [], "carried", "stays as it is, the waypoint reads it");
		return undefined;
	}
	const namespace = near ? item.namespace : entry.namespace;
	if (!near) {
		const path = ["metadata", "namespace"];
		ledger.note(item, path, "carried", `as ${namespace}: a waypoint does not look into ${item.namespace}`);
		notes.push(
			`DestinationRule \`${item.namespace}/${item.name}\` moves to namespace \`${namespace}\`, where the waypoint looks for it.`,
		);
	}
	return {
		stage: "2-switch",
		object: {
			...without(item.object, "status"),
			metadata: { ...plainMetadata(item, ledger), namespace },
			spec,
		},
		base: item,
		purpose: `settings for ${host} at the waypoint`,
	};
}

const noTls: ReadonlySet<string> = new Set(["", "DISABLE", "ISTIO_MUTUAL"]);

function originates(settings: Fields): boolean {
	return !noTls.has(textOf(fieldsOf(settings.tls).mode) ?? "");
}

/** The traffic policy with TLS on the port that the clients use: the port behind it is now the targetPort. */
function carriedPolicy(
	item: Item,
	host: string,
	entry: BoundEntry,
	policy: Fields,
	conversion: Conversion,
): Fields {
	const { ledger } = conversion;
	let levels = listOf(policy.portLevelSettings).map(fieldsOf);
	let top = policy;
	for (const port of entry.ports.filter(({ protocol }) => /^(?:HTTP|HTTP2|GRPC)/i.test(protocol ?? ""))) {
		const target = port.targetPort ?? port.number;
		const own = levels.some((level) => fieldsOf(level.port).number === port.number);
		const behind = levels.find((level) => fieldsOf(level.port).number === target && originates(level));
		if (behind !== undefined && target !== port.number && !own) {
			const rest = without(behind, "tls");
			const bare = Object.keys(rest).length === 1;
			levels = [
				...levels.flatMap((level) => (level === behind ? (bare ? [] : [rest]) : [level])),
				{ ...behind, port: { number: port.number } },
			];
			const index = listOf(policy.portLevelSettings).indexOf(behind);
			const path = ["spec", "trafficPolicy", "portLevelSettings", Math.max(index, 0), "port"];
			ledger.note(item, path, "carried", `as port ${port.number}, whose targetPort is ${target}`);
		} else if (
			originates(top) &&
			!own &&
			entry.ports.some((each) => /^(?:HTTPS|TLS)$/i.test(each.protocol ?? ""))
		) {
			// TLS for the whole host would wrap the ports that are TLS already.
			levels = [...levels, { ...without(top, "portLevelSettings", "tunnel"), port: { number: port.number } }];
			ledger.note(item, ["spec", "trafficPolicy", "tls"], "carried", `for port ${port.number} alone`);
			top = without(top, "tls");
		}
	}
	const named = levels.map((level) => withSecret(item, host, level, conversion));
	const whole = withSecret(item, host, top, conversion);
	return named.length > 0 ? { ...whole, portLevelSettings: named } : without(whole, "portLevelSettings");
}

const fileFields = ["clientCertificate", "privateKey", "caCertificates"];

/** Certificates in files of the gateway's pod become a Secret: a waypoint has no such files. */
function withSecret(item: Item, host: string, settings: Fields, { ledger, notes }: Conversion): Fields {
	const tls = fieldsOf(settings.tls);
	const files = fileFields.filter((field) => textOf(tls[field]) !== undefined);
	if (textOf(tls.credentialName) !== undefined) {
		notes.push(
			`The Secret \`${String(tls.credentialName)}\` for \`${host}\` must stand in the waypoint's namespace.`,
		);
	}
	if (files.length === 0) {
		return settings;
	}
	const secret = `${objectName(host)}-client`;
	const keys = { clientCertificate: "tls.crt", privateKey: "tls.key", caCertificates: "ca.crt" } as const;
	const literal = files
		.map((field) => `--from-file=${keys[field as keyof typeof keys]}=${String(tls[field])}`)
		.join(" ");
	notes.push(
		`The certificates for \`${host}\` were files in the gateway's pod, which a waypoint does not have. Create the Secret in the waypoint's namespace: \`kubectl create secret generic ${secret} ${literal}\`.`,
	);
	for (const path of pathsOfFields(item, files)) {
		ledger.note(item, path, "not carried", `a waypoint has no such file: it becomes the Secret ${secret}`);
	}
	return { ...settings, tls: { ...without(tls, ...files), credentialName: secret } };
}

function pathsOfFields(item: Item, names: readonly string[]): readonly (readonly (string | number)[])[] {
	const { trafficPolicy, subsets } = fieldsOf(item.object.spec);
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
function withoutTunnels(item: Item, spec: Fields, { ledger, notes }: Conversion): Fields {
	const reason = "a waypoint opens no CONNECT tunnel: register the proxy itself, or let it be transparent";
	let found = false;
	const strip = (policy: Fields, path: readonly (string | number)[]): Fields => {
		if (policy.tunnel === undefined) {
			return policy;
		}
		found = true;
		ledger.note(item, [...path, "tunnel"], "not carried", reason);
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
		`DestinationRule \`${item.namespace}/${item.name}\` tunnels through a forward proxy: ${reason}.`,
	);
	return {
		...without(spec, "trafficPolicy", "subsets"),
		...(Object.keys(trafficPolicy).length > 0 ? { trafficPolicy } : {}),
		...(subsets.length > 0 ? { subsets } : {}),
	};
}
