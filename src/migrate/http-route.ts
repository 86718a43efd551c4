import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, textOf } from "./fields.ts";

const routeFields: ReadonlySet<string> = new Set(["name", "match", "route", "timeout", "headers", "rewrite"]);
const matchFields: ReadonlySet<string> = new Set(["uri", "headers", "method", "queryParams", "name"]);

/**
 * The rules of an HTTPRoute (standard channel) that say the same as routes of a VirtualService; undefined when it
 * has no words for something: retries, faults, CORS, mirrors to a share, redirects, subsets, prefixes of half a word.
 */
export function toHttpRouteRules(
	routes: readonly Fields[],
	hosts: readonly string[],
): readonly Fields[] | undefined {
	const rules = routes.map((route) => toRule(route, hosts));
	return rules.every((rule) => rule !== undefined) ? rules : undefined;
}

function toRule(route: Fields, hosts: readonly string[]): Fields | undefined {
	const matches = listOf(route.match).map((match) => toMatch(fieldsOf(match)));
	const backends = listOf(route.route).map((each) => toBackend(fieldsOf(each), hosts));
	const filters = toFilters(route);
	const timeout = toDuration(route.timeout);
	const known = Object.keys(route).every((field) => routeFields.has(field));
	if (
		!known ||
		filters === undefined ||
		timeout === null ||
		backends.length === 0 ||
		matches.some((match) => match === undefined) ||
		backends.some((backend) => backend === undefined)
	) {
		return undefined;
	}
	return {
		...(matches.length > 0 ? { matches } : {}),
		...(filters.length > 0 ? { filters } : {}),
		backendRefs: backends,
		...(timeout === undefined ? {} : { timeouts: { request: timeout } }),
	};
}

// Gateway API durations (GEP-2257) have no fractions and no microseconds.
function toDuration(value: unknown): string | undefined | null {
	if (value === undefined) {
		return undefined;
	}
	const text = textOf(value) ?? "";
	if (/^(?:\d{1,5}(?:h|m|s|ms)){1,4}$/.test(text)) {
		return text;
	}
	const seconds = /^(\d{1,4})\.(\d{1,3})s$/.exec(text);
	return seconds === null
		? null
		: `${Number(seconds[1]) * 1000 + Number((seconds[2] ?? "0").padEnd(3, "0"))}ms`;
}

function toMatch(match: Fields): Fields | undefined {
	const path = toPath(fieldsOf(match.uri));
	const method = fieldsOf(match.method);
	const headers = toPairs(fieldsOf(match.headers));
	const queryParams = toPairs(fieldsOf(match.queryParams));
	const known = Object.keys(match).every((field) => matchFields.has(field));
	if (!known || path === undefined || headers === undefined || queryParams === undefined) {
		return undefined;
	}
	if (match.method !== undefined && textOf(method.exact) === undefined) {
		return undefined;
	}
	return {
		...(match.uri === undefined ? {} : { path }),
		...(match.method === undefined ? {} : { method: method.exact }),
		...(headers.length > 0 ? { headers } : {}),
		...(queryParams.length > 0 ? { queryParams } : {}),
	};
}

function toPath(uri: Fields): Fields | undefined {
	const exact = textOf(uri.exact);
	const prefix = textOf(uri.prefix);
	const regex = textOf(uri.regex);
	if (exact !== undefined) {
		return { type: "Exact", value: exact };
	}
	if (prefix !== undefined) {
		// Istio's prefix /api also matches /apis, and /api/ does not match /api: that of the Gateway API has whole elements.
		return prefix === "/" ? { type: "PathPrefix", value: prefix } : undefined;
	}
	return regex === undefined ? {} : { type: "RegularExpression", value: regex };
}

function toPairs(matches: Fields): readonly Fields[] | undefined {
	const pairs = Object.entries(matches).map(([name, value]) => {
		const exact = textOf(fieldsOf(value).exact);
		const regex = textOf(fieldsOf(value).regex);
		if (exact !== undefined) {
			return { name, value: exact };
		}
		return regex === undefined ? undefined : { type: "RegularExpression", name, value: regex };
	});
	return pairs.every((pair) => pair !== undefined) ? pairs : undefined;
}

function toFilters(route: Fields): readonly Fields[] | undefined {
	const { request, response, ...others } = fieldsOf(route.headers);
	const filters: Fields[] = [];
	for (const [type, field, value] of [
		["RequestHeaderModifier", "requestHeaderModifier", request],
		["ResponseHeaderModifier", "responseHeaderModifier", response],
	] as const) {
		if (value !== undefined) {
			const { set, add, remove } = fieldsOf(value);
			const list = (pairs: unknown): readonly Fields[] =>
				Object.entries(fieldsOf(pairs)).map(([name, text]) => ({ name, value: text }));
			filters.push({
				type,
				[field]: {
					...(set === undefined ? {} : { set: list(set) }),
					...(add === undefined ? {} : { add: list(add) }),
					...(remove === undefined ? {} : { remove }),
				},
			});
		}
	}
	const { authority, uri, ...rest } = fieldsOf(route.rewrite);
	if (route.rewrite !== undefined) {
		if (uri !== undefined || textOf(authority) === undefined) {
			return undefined;
		}
		filters.push({ type: "URLRewrite", urlRewrite: { hostname: authority } });
	}
	return Object.keys(others).length + Object.keys(rest).length === 0 ? filters : undefined;
}

function toBackend(destination: Fields, hosts: readonly string[]): Fields | undefined {
	const { host, port, subset } = fieldsOf(destination.destination);
	const known = Object.keys(destination).every((field) => field === "destination" || field === "weight");
	if (!known || subset !== undefined || !hosts.includes(textOf(host) ?? "")) {
		return undefined;
	}
	const weight = numberOf(destination.weight);
	const number = numberOf(fieldsOf(port).number);
	// Without a port, a VirtualService means the one that the client used; a backend has to name one.
	if (number === undefined) {
		return undefined;
	}
	return {
		group: "networking.istio.io",
		kind: "Hostname",
		name: host,
		port: number,
		...(weight === undefined ? {} : { weight }),
	};
}
