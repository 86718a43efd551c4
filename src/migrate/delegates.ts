import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, textOf, without } from "./fields.ts";
import type { InputObject } from "./input-object.ts";

/** A route of a VirtualService, and where its words stand. */
export interface PlacedRoute {
	readonly input: InputObject;
	readonly index: number;
	readonly route: Fields;
}

/** The VirtualService to which a route hands its traffic over, as NAMESPACE/NAME; undefined where it does not. */
export function delegateOf({ input, route }: Pick<PlacedRoute, "input" | "route">): string | undefined {
	const { name, namespace } = fieldsOf(route.delegate);
	return textOf(name) === undefined ? undefined : `${textOf(namespace) ?? input.namespace}/${String(name)}`;
}

/**
 * The routes that take a delegating route's place, as istiod merges them (pilot/pkg/model/virtualservice.go:
 * mergeHTTPRoute): what the delegate says goes before what its root says, and both have to match. None where the
 * delegate is not in the input; undefined where both match by one field, and the delegate's match is not seen to be
 * the narrower one.
 */
export function delegatedRoutes(
	root: PlacedRoute,
	inputs: readonly InputObject[],
): readonly PlacedRoute[] | undefined {
	const key = delegateOf(root);
	const delegate = inputs.find(
		(each) => each.kind === "VirtualService" && `${each.namespace}/${each.name}` === key,
	);
	if (delegate === undefined) {
		return [];
	}
	const own = without(root.route, "delegate", "match", "name");
	const merged = listOf(fieldsOf(delegate.object.spec).http).map((each, index) => {
		const route = fieldsOf(each);
		const match = bothMatches(listOf(root.route.match).map(fieldsOf), listOf(route.match).map(fieldsOf));
		return match === undefined
			? undefined
			: { input: delegate, index, route: { ...own, ...route, ...(match.length > 0 ? { match } : {}) } };
	});
	return merged.every((each) => each !== undefined) ? merged : undefined;
}

/** Each match of the root with each of the delegate; undefined where both name one field. */
function bothMatches(root: readonly Fields[], delegate: readonly Fields[]): readonly Fields[] | undefined {
	if (root.length === 0 || delegate.length === 0) {
		return root.length === 0 ? delegate : root;
	}
	const pairs = root.flatMap((one) => delegate.map((other) => ({ one, other })));
	const isClear = pairs.every(({ one, other }) =>
		Object.keys(other).every(
			(field) =>
				field === "name" ||
				!Object.hasOwn(one, field) ||
				(field === "uri" && isNarrower(fieldsOf(one.uri), fieldsOf(other.uri))),
		),
	);
	return isClear ? pairs.map(({ one, other }) => ({ ...one, ...other })) : undefined;
}

/** Whether every path that a delegate's match takes is one that a prefix of its root takes. */
function isNarrower({ prefix }: Fields, { prefix: longer, exact }: Fields): boolean {
	const path = textOf(longer) ?? textOf(exact);
	return typeof prefix === "string" && path?.startsWith(prefix) === true;
}
