import { canonicalHost } from "../core/host-pattern.ts";
import type { Inventory } from "../core/inventory.ts";
import { selectsEgressPods } from "../istio/egress/services.ts";
import type { BoundEntry } from "./entries.ts";
import { plainMetadata } from "./entries.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, objectName, textOf, textsOf, without } from "./fields.ts";
import type { InputObject, Output } from "./input-object.ts";
import type { PortDemand } from "./port-demands.ts";
import type { Conversion, Step, StepResult } from "./step.ts";
import { beginStep, endStep } from "./step.ts";
import { withSoleSubset } from "./subsets.ts";

/** DestinationRules for the hosts of a bundle, made to work at the waypoint, and the old ones that they replace. */
export interface HostRules extends StepResult {
	readonly replaced: readonly InputObject[];
}

/** Carries every DestinationRule of the hosts over, and writes those that originate TLS where the input has none. */
export function hostRules(conversion: Conversion, entries: readonly BoundEntry[]): HostRules {
	const step = beginStep(conversion);
	const outputs: Output[] = [];
	const replaced: InputObject[] = [];
	const served = new Set<string>();
	for (const { role, input } of step.bundle.participants) {
		if (role !== "host rule") {
			continue;
		}
		const host = canonicalHost(textOf(fieldsOf(input.object.spec).host) ?? "");
		const entry = entries.find((each) => each.hosts.includes(host));
		served.add(host);
		if (entry === undefined) {
			noteHomeless(input, host, step);
			continue;
		}
		const output = continueRule(input, host, entry, step);
		if (output !== undefined) {
			outputs.push(output);
			if (fieldsOf(output.object.metadata).namespace !== input.namespace) {
				replaced.push(input);
			}
		}
	}
	for (const entry of entries) {
		for (const host of entry.hosts.filter((each) => !served.has(each))) {
			const moved = movedPorts(host, step.demands);
			if (moved.length > 0) {
				outputs.push(assumedRule(host, moved, entry, step));
			}
		}
	}
	return { ...endStep(step, outputs), replaced };
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

function movedPorts(host: string, demands: readonly PortDemand[]): readonly PortDemand[] {
	return demands.filter(
		(demand) =>
			demand.host === host &&
			demand.traffic === "HTTP" &&
			demand.target !== undefined &&
			demand.target !== demand.port &&
			demand.target === 443,
	);
}

function assumedRule(host: string, moved: readonly PortDemand[], entry: BoundEntry, { notes }: Step): Output {
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
					portLevelSettings: moved.map((demand) => ({ port: { number: demand.port }, tls })),
				},
			},
		},
		purpose: `begins TLS for ${host} at the waypoint`,
	};
}

function continueRule(input: InputObject, host: string, entry: BoundEntry, step: Step): Output | undefined {
	const { ledger, notes, inventory } = step;
	ledger.note(input, [], "carried", "the same DestinationRule, at the waypoint");
	ledger.note(input, ["status"], "implied", "istiod writes it");
	let spec = fieldsOf(input.object.spec);
	if (isForGateway(input, inventory)) {
		ledger.note(input, ["spec", "workloadSelector"], "implied", "the waypoint takes the gateway's place");
		spec = without(spec, "workloadSelector");
	}
	spec = withSoleSubset(input, spec, step);
	const foreign = entry.waypoint.namespace !== entry.namespace;
	if (foreign && textsOf(spec.exportTo).length > 0 && !textsOf(spec.exportTo).includes("*")) {
		ledger.note(input, ["spec", "exportTo"], "not carried", "the waypoint in another namespace must see it");
		spec = without(spec, "exportTo");
	}
	const policy = carriedPolicy(input, host, entry, fieldsOf(spec.trafficPolicy), step);
	spec = Object.keys(policy).length > 0 ? { ...spec, trafficPolicy: policy } : without(spec, "trafficPolicy");
	spec = withoutTunnels(input, spec, step);
	const near =
		input.namespace === entry.namespace ||
		input.namespace === entry.waypoint.namespace ||
		input.namespace === inventory.mesh.rootNamespace;
	const unchanged = JSON.stringify(spec) === JSON.stringify(fieldsOf(input.object.spec));
	if (unchanged && near) {
		ledger.note(input, [], "carried", "stays as it is, the waypoint reads it");
		return undefined;
	}
	const namespace = near ? input.namespace : entry.namespace;
	if (!near) {
		const path = ["metadata", "namespace"];
		ledger.note(input, path, "carried", `as ${namespace}: a waypoint does not look into ${input.namespace}`);
		notes.push(
			`DestinationRule \`${input.namespace}/${input.name}\` moves to namespace \`${namespace}\`, where the waypoint looks for it.`,
		);
	}
	return {
		stage: "2-switch",
		object: {
			...without(input.object, "status"),
			metadata: { ...plainMetadata(input, ledger), namespace },
			spec,
		},
		base: input,
		purpose: `settings for ${host} at the waypoint`,
	};
}

const noTls: ReadonlySet<string> = new Set(["", "DISABLE", "ISTIO_MUTUAL"]);

function originates(settings: Fields): boolean {
	return !noTls.has(textOf(fieldsOf(settings.tls).mode) ?? "");
}

/** The traffic policy with TLS on the port that the clients use: the port behind it is now the targetPort. */
function carriedPolicy(
	input: InputObject,
	host: string,
	entry: BoundEntry,
	policy: Fields,
	step: Step,
): Fields {
	const { ledger } = step;
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
			ledger.note(input, path, "carried", `as port ${port.number}, whose targetPort is ${target}`);
		} else if (
			originates(top) &&
			!own &&
			entry.ports.some((each) => /^(?:HTTPS|TLS)$/i.test(each.protocol ?? ""))
		) {
			// TLS for the whole host would wrap the ports that are TLS already.
			levels = [...levels, { ...without(top, "portLevelSettings", "tunnel"), port: { number: port.number } }];
			ledger.note(input, ["spec", "trafficPolicy", "tls"], "carried", `for port ${port.number} alone`);
			top = without(top, "tls");
		}
	}
	const named = levels.map((level) => withSecret(input, host, level, step));
	const whole = withSecret(input, host, top, step);
	return named.length > 0 ? { ...whole, portLevelSettings: named } : without(whole, "portLevelSettings");
}

const fileFields = ["clientCertificate", "privateKey", "caCertificates"];

/** Certificates in files of the gateway's pod become a Secret: a waypoint has no such files. */
function withSecret(input: InputObject, host: string, settings: Fields, { ledger, notes }: Step): Fields {
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
	for (const path of pathsOfFields(input, files)) {
		ledger.note(input, path, "not carried", `a waypoint has no such file: it becomes the Secret ${secret}`);
	}
	return { ...settings, tls: { ...without(tls, ...files), credentialName: secret } };
}

function pathsOfFields(
	input: InputObject,
	names: readonly string[],
): readonly (readonly (string | number)[])[] {
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
