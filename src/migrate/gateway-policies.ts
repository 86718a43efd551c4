import type { Inventory } from "../core/inventory.ts";
import { serviceOfHost } from "../core/service-names.ts";
import { gatewayEvidence } from "../istio/egress/gateway-api.ts";
import { selectsEgressPods } from "../istio/egress/services.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, textOf } from "./fields.ts";
import type { InputObject } from "./input-object.ts";
import type { Participant } from "./participant.ts";

const movedKinds: ReadonlySet<string> = new Set(["AuthorizationPolicy", "RequestAuthentication"]);

/** Kinds that hold for proxies and have no place of their own in a migration. */
const proxyKinds: ReadonlySet<string> = new Set([
	"EnvoyFilter",
	"PeerAuthentication",
	"ProxyConfig",
	"Telemetry",
	"TrafficExtension",
	"WasmPlugin",
]);

/** The labels of the pods of a Gateway of the Gateway API, today's and that of Istio 1.20 and before. */
const nameLabels = ["gateway.networking.k8s.io/gateway-name", "istio.io/gateway-name"] as const;

/** A policy or an extension that holds for the pods of an egress gateway by name: by its selector or its targetRefs. */
export function policyParticipant(input: InputObject, inventory: Inventory): Participant | undefined {
	const isMoved = movedKinds.has(input.title);
	if (!isMoved && !proxyKinds.has(input.title)) {
		return undefined;
	}
	const selector = selectorOf(input);
	const names = gatewayNames(input);
	const isMeant =
		names.some((name) => isEgressGateway(input.namespace, name, inventory)) ||
		(names.length === 0 && selectsEgressPods(selector, inventory));
	return isMeant ? { input, role: isMoved ? "policy" : "gateway policy", hosts: [], ties: [] } : undefined;
}

function selectorOf({ object }: InputObject): Readonly<Record<string, string>> {
	const spec = fieldsOf(object.spec);
	const labels = {
		...fieldsOf(fieldsOf(spec.selector).matchLabels),
		...fieldsOf(fieldsOf(spec.workloadSelector).labels),
	};
	return Object.fromEntries(
		Object.entries(labels).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
	);
}

/** What a policy is attached to, also in the form of one. */
function targetsOf({ object }: InputObject): readonly Fields[] {
	const { targetRefs, targetRef } = fieldsOf(object.spec);
	return [...listOf(targetRefs), ...(targetRef === undefined ? [] : [targetRef])].map(fieldsOf);
}

/** The Gateways of the Gateway API that a policy names, as target or by the label of their pods. */
function gatewayNames(input: InputObject): readonly string[] {
	const targets = targetsOf(input).filter(({ kind }) => kind === "Gateway");
	const selector = selectorOf(input);
	return [...targets.map(({ name }) => textOf(name)), ...nameLabels.map((label) => selector[label])].flatMap(
		(name) => name ?? [],
	);
}

function isEgressGateway(namespace: string, name: string, inventory: Inventory): boolean {
	const gateway = inventory.get("KubernetesGateway", namespace, name);
	return gateway !== undefined && [...gatewayEvidence(gateway, namespace, inventory)].length > 0;
}

/** Whether a policy may hold for the pods of a bundle's gateways: it does not where it names others. */
export function holdsFor(input: InputObject, participants: readonly Participant[], root: string): boolean {
	const gateways = participants.filter(({ role }) => role === "gateway").map((each) => each.input);
	const namespaces = gatewayNamespaces(participants);
	const isNear = namespaces.length === 0 || [...namespaces, root].includes(input.namespace);
	return isNear && (gateways.length === 0 || gateways.some((gateway) => mayMean(input, gateway)));
}

function mayMean(policy: InputObject, gateway: InputObject): boolean {
	const names = gatewayNames(policy);
	if (gateway.kind === "KubernetesGateway") {
		const labels = fieldsOf(fieldsOf(gateway.object.metadata).labels);
		return names.length > 0 ? names.includes(gateway.name) : isSubset(selectorOf(policy), labels);
	}
	const pods = fieldsOf(fieldsOf(gateway.object.spec).selector);
	const selector = Object.entries(selectorOf(policy));
	return names.length === 0 && selector.every(([key, value]) => (pods[key] ?? value) === value);
}

function isSubset(selector: Readonly<Record<string, string>>, labels: Fields): boolean {
	return Object.entries(selector).every(([key, value]) => (labels[key] ?? value) === value);
}

/** Where the pods of a bundle's old gateways are, as far as the input says. */
export function gatewayNamespaces(participants: readonly Participant[]): readonly string[] {
	const found = participants.flatMap(({ role, input, hops }) => {
		if (role === "gateway" && input.kind === "KubernetesGateway") {
			return [input.namespace];
		}
		return (hops?.toGateway ?? []).flatMap(
			(destination) => serviceOfHost(destination.host, input.namespace)?.namespace ?? [],
		);
	});
	return [...new Set(found)];
}

/**
 * The objects that held at the old gateway because they hold for every proxy of its namespace or of the mesh, and do
 * not hold at a waypoint, which takes nothing but what names it (Istio pilot/pkg/model/policyattachment.go:
 * ShouldAttachPolicy). The way there is mutual TLS whatever a PeerAuthentication says. Telemetry and ProxyConfig of the root namespace and of the waypoint's own reach it all the same.
 */
export function widePolicies(
	inputs: readonly InputObject[],
	gateways: readonly string[],
	waypoints: readonly string[],
	root: string,
): readonly InputObject[] {
	return inputs.filter((input) => {
		const isKnown =
			movedKinds.has(input.title) || (proxyKinds.has(input.title) && input.title !== "PeerAuthentication");
		const isWide = targetsOf(input).length === 0 && Object.keys(selectorOf(input)).length === 0;
		if (!isKnown || !isWide || ![...gateways, root].includes(input.namespace)) {
			return false;
		}
		const reaches = input.title === "Telemetry" || input.title === "ProxyConfig";
		return !(reaches && [root, ...waypoints].includes(input.namespace)) && isForGateways(input);
	});
}

/** Patches of an EnvoyFilter say for which kind of proxy they are. */
function isForGateways({ title, object }: InputObject): boolean {
	const patches = listOf(fieldsOf(object.spec).configPatches).map(fieldsOf);
	return (
		title !== "EnvoyFilter" ||
		patches.some(({ match }) => {
			const { context } = fieldsOf(match);
			return context === undefined || context === "ANY" || context === "GATEWAY";
		})
	);
}
