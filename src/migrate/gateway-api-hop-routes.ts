import { canonicalHost } from "../core/host-pattern.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, textOf, textsOf } from "./fields.ts";
import type { HopRoute } from "./hop-route.ts";
import type { InputObject } from "./input-object.ts";
import type { Bundle } from "./participant.ts";

const httpRoutes: ReadonlySet<string | undefined> = new Set(["HTTPRoute", "GRPCRoute"]);
const httpProtocol = /^(?:HTTP|HTTP2|GRPC|GRPC-WEB)$/i;

/** A backend that is a host outside the cluster. */
export function isHostBackend(backend: Fields): boolean {
	return backend.kind === "Hostname" || backend.kind === "XBackend";
}

/** The hops of a bundle's HTTP routes of the Gateway API. Routes for connections say nothing of ports but their own. */
export function gatewayApiHopRoutes(bundle: Bundle): {
	readonly toGateway: readonly HopRoute[];
	readonly toHost: readonly HopRoute[];
} {
	const routes = bundle.participants.filter(
		({ role, hops, input }) => role === "route" && hops === undefined && httpRoutes.has(input.kind),
	);
	return {
		toGateway: routes.flatMap(({ input }) => hopsToGateway(input, bundle)),
		toHost: routes.flatMap(({ input }) => hopsToHost(input, bundle)),
	};
}

function backendsOf(input: InputObject): readonly Fields[] {
	return listOf(fieldsOf(input.object.spec).rules)
		.flatMap((rule) => listOf(fieldsOf(rule).backendRefs))
		.map(fieldsOf);
}

function parentsOf(input: InputObject): readonly Fields[] {
	return listOf(fieldsOf(input.object.spec).parentRefs).map(fieldsOf);
}

function participantNamed(
	bundle: Bundle,
	role: string,
	from: InputObject,
	parent: Fields,
): InputObject | undefined {
	const namespace = textOf(parent.namespace) ?? from.namespace;
	return bundle.participants.find(
		(participant) =>
			participant.role === role &&
			participant.input.name === parent.name &&
			participant.input.namespace === namespace,
	)?.input;
}

function hopsToGateway(input: InputObject, bundle: Bundle): readonly HopRoute[] {
	const listener = backendsOf(input)
		.filter((backend) => !isHostBackend(backend))
		.map((backend) => numberOf(backend.port))[0];
	if (listener === undefined) {
		return [];
	}
	return parentsOf(input).flatMap((parent) => {
		const entry =
			parent.kind === "ServiceEntry" ? participantNamed(bundle, "entry", input, parent) : undefined;
		const spec = fieldsOf(entry?.object.spec);
		const ports = listOf(spec.ports)
			.map(fieldsOf)
			.filter((port) => httpProtocol.test(textOf(port.protocol) ?? ""))
			.filter((port) => parent.port === undefined || port.number === parent.port);
		return ports.map((port): HopRoute => {
			const hosts = textsOf(spec.hosts).map(canonicalHost);
			const { namespace } = input;
			return { hosts, family: "http", port: numberOf(port.number), target: undefined, listener, namespace };
		});
	});
}

function hopsToHost(input: InputObject, bundle: Bundle): readonly HopRoute[] {
	const listeners = parentsOf(input).flatMap((parent) => listenerPorts(input, parent, bundle));
	return backendsOf(input)
		.filter(isHostBackend)
		.flatMap((backend) =>
			(listeners.length > 0 ? listeners : [undefined]).map(
				(listener): HopRoute => ({
					hosts: [canonicalHost(textOf(backend.name) ?? "")],
					family: "http",
					port: 80,
					target: numberOf(backend.port),
					listener,
					namespace: input.namespace,
				}),
			),
		);
}

/** The ports of the listeners of a Gateway that a parentRef means. */
function listenerPorts(input: InputObject, parent: Fields, bundle: Bundle): readonly number[] {
	const gateway = participantNamed(bundle, "gateway", input, parent);
	return listOf(fieldsOf(gateway?.object.spec).listeners)
		.map(fieldsOf)
		.filter((each) => parent.sectionName === undefined || each.name === parent.sectionName)
		.filter((each) => parent.port === undefined || each.port === parent.port)
		.flatMap((each) => numberOf(each.port) ?? []);
}
