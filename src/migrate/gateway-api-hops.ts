import { canonicalHost } from "../core/host-pattern.ts";
import type { Bundle } from "./bundles.ts";
import type { Half } from "./half.ts";
import type { Item } from "./item.ts";
import type { Fields } from "./raw.ts";
import { fieldsOf, listOf, numberOf, textOf, textsOf } from "./raw.ts";

const httpRoutes: ReadonlySet<string | undefined> = new Set(["HTTPRoute", "GRPCRoute"]);
const httpProtocol = /^(?:HTTP|HTTP2|GRPC|GRPC-WEB)$/i;

/** A backend that is a host outside the cluster. */
export function isHostBackend(backend: Fields): boolean {
	return backend.kind === "Hostname" || backend.kind === "XBackend";
}

/** The hops of a bundle's HTTP routes of the Gateway API. Routes for connections say nothing of ports but their own. */
export function gatewayApiHalves(bundle: Bundle): {
	readonly steers: readonly Half[];
	readonly forwards: readonly Half[];
} {
	const routes = bundle.parts.filter(
		({ role, hops, item }) => role === "route" && hops === undefined && httpRoutes.has(item.kind),
	);
	return {
		steers: routes.flatMap(({ item }) => steersOf(item, bundle)),
		forwards: routes.flatMap(({ item }) => forwardsOf(item, bundle)),
	};
}

function backendsOf(item: Item): readonly Fields[] {
	return listOf(fieldsOf(item.object.spec).rules)
		.flatMap((rule) => listOf(fieldsOf(rule).backendRefs))
		.map(fieldsOf);
}

function parentsOf(item: Item): readonly Fields[] {
	return listOf(fieldsOf(item.object.spec).parentRefs).map(fieldsOf);
}

function partNamed(bundle: Bundle, role: string, from: Item, parent: Fields): Item | undefined {
	const namespace = textOf(parent.namespace) ?? from.namespace;
	return bundle.parts.find(
		(part) => part.role === role && part.item.name === parent.name && part.item.namespace === namespace,
	)?.item;
}

function steersOf(item: Item, bundle: Bundle): readonly Half[] {
	const listener = backendsOf(item)
		.filter((backend) => !isHostBackend(backend))
		.map((backend) => numberOf(backend.port))[0];
	if (listener === undefined) {
		return [];
	}
	return parentsOf(item).flatMap((parent) => {
		const entry = parent.kind === "ServiceEntry" ? partNamed(bundle, "entry", item, parent) : undefined;
		const spec = fieldsOf(entry?.object.spec);
		const ports = listOf(spec.ports)
			.map(fieldsOf)
			.filter((port) => httpProtocol.test(textOf(port.protocol) ?? ""))
			.filter((port) => parent.port === undefined || port.number === parent.port);
		return ports.map((port): Half => {
			const hosts = textsOf(spec.hosts).map(canonicalHost);
			const { namespace } = item;
			return { hosts, family: "http", port: numberOf(port.number), target: undefined, listener, namespace };
		});
	});
}

function forwardsOf(item: Item, bundle: Bundle): readonly Half[] {
	const listeners = parentsOf(item).flatMap((parent) => listenerPorts(item, parent, bundle));
	return backendsOf(item)
		.filter(isHostBackend)
		.flatMap((backend) =>
			(listeners.length > 0 ? listeners : [undefined]).map(
				(listener): Half => ({
					hosts: [canonicalHost(textOf(backend.name) ?? "")],
					family: "http",
					port: 80,
					target: numberOf(backend.port),
					listener,
					namespace: item.namespace,
				}),
			),
		);
}

/** The ports of the listeners of a Gateway that a parentRef means. */
function listenerPorts(item: Item, parent: Fields, bundle: Bundle): readonly number[] {
	const gateway = partNamed(bundle, "gateway", item, parent);
	return listOf(fieldsOf(gateway?.object.spec).listeners)
		.map(fieldsOf)
		.filter((each) => parent.sectionName === undefined || each.name === parent.sectionName)
		.filter((each) => parent.port === undefined || each.port === parent.port)
		.flatMap((each) => numberOf(each.port) ?? []);
}
