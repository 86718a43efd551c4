import type { Path } from "../core/finding.ts";
import type { BoundEntry, EntryPort } from "./bound-entry.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, numberOf, textOf, without } from "./fields.ts";
import type { InputObject } from "./input-object.ts";
import type { Step } from "./step.ts";

/** A traffic policy of a DestinationRule, the host's or a subset's, and where it stands. */
export interface PlacedPolicy {
	readonly input: InputObject;
	readonly path: Path;
	readonly policy: Fields;
}

const tlsClass = /^(?:HTTPS|TLS)$/i;
const noTls: ReadonlySet<string> = new Set(["", "DISABLE", "ISTIO_MUTUAL"]);

/** Whether settings begin TLS in the words of a waypoint, which passes over ISTIO_MUTUAL. */
export function originates(settings: Fields): boolean {
	return !noTls.has(textOf(fieldsOf(settings.tls).mode) ?? "");
}

const numberAt = (level: Fields): number | undefined => numberOf(fieldsOf(level.port).number);

/**
 * A policy whose settings for the port behind the gateway stand at the port that clients use: at a waypoint, settings
 * are those of the port of the ServiceEntry. Done alike for the host and for its subsets, it leaves alone how istiod
 * merges the two (pilot/pkg/networking/util/util.go: MergeSubsetTrafficPolicy).
 */
export function forClientPorts({ input, path, policy }: PlacedPolicy, entry: BoundEntry, step: Step): Fields {
	const old = listOf(policy.portLevelSettings).map(fieldsOf);
	let levels = old;
	for (const [number, target] of entry.behind) {
		const at = (index: number): Path => [...path, "portLevelSettings", index];
		const own = old.findIndex((level) => numberAt(level) === number);
		const behind = old.findIndex((level) => numberAt(level) === target);
		const settings = old[behind];
		if (own >= 0) {
			const why = `the gateway connected to port ${target}, so that this had no effect`;
			step.ledger.note(input, at(own), "implied", why);
			levels = levels.filter((level) => numberAt(level) !== number);
		}
		if (settings !== undefined) {
			const where = `as port ${number}, behind which ${target} lies`;
			step.ledger.note(input, [...at(behind), "port"], "carried", where);
			levels = [...levels, { ...settings, port: { number } }];
		}
	}
	const named = levels.flatMap((level) => withoutUnused(level, old.includes(level), entry));
	return named.length > 0
		? { ...policy, portLevelSettings: named }
		: policy.portLevelSettings === undefined
			? policy
			: without(policy, "portLevelSettings");
}

/** TLS for a port to which only the gateway connected would wrap what clients send there, which is TLS already. */
function withoutUnused(level: Fields, isOld: boolean, entry: BoundEntry): readonly Fields[] {
	const number = numberAt(level);
	const wasBehind = [...entry.behind.values()].includes(number ?? 0);
	const served = entry.ports.some((port) => port.number === number && !tlsClass.test(port.protocol ?? ""));
	if (!isOld || !wasBehind || served || !originates(level)) {
		return [level];
	}
	const rest = without(level, "tls");
	return Object.keys(rest).length === 1 ? [] : [rest];
}

/** What only a whole destination has: settings of a port cannot say it (istio.io/api networking destination_rule.proto). */
export const wholeOnly: readonly string[] = ["proxyProtocol", "retryBudget"];

/** What of a policy the settings of a port can say. */
export function forPort(policy: Fields): Fields {
	return without(policy, "portLevelSettings", "tunnel", ...wholeOnly);
}

/** A host's policy whose TLS for every port leaves out the ports that carry TLS already. */
export function withoutDoubleTls(placed: PlacedPolicy, entry: BoundEntry, { ledger }: Step): Fields {
	const { input, path, policy } = placed;
	const wrapped = entry.ports.filter((port) => tlsClass.test(port.protocol ?? ""));
	const levels = listOf(policy.portLevelSettings).map(fieldsOf);
	const bare = (ports: readonly EntryPort[]): readonly EntryPort[] =>
		ports.filter(({ number }) => !levels.some((level) => numberAt(level) === number));
	if (!originates(policy) || bare(wrapped).length === 0) {
		return policy;
	}
	const shared = forPort(policy);
	const clear = bare(entry.ports.filter((port) => !wrapped.includes(port)));
	if (wholeOnly.some((field) => policy[field] !== undefined)) {
		const off = bare(wrapped).map(({ number }) => ({
			...shared,
			port: { number },
			tls: { mode: "DISABLE" },
		}));
		return { ...policy, portLevelSettings: [...levels, ...off] };
	}
	if (clear.length === 0) {
		return policy;
	}
	const ports = clear.map(({ number }) => number).join(" and ");
	ledger.note(input, [...path, "tls"], "carried", `for port ${ports} alone`);
	const own = clear.map(({ number }) => ({ ...shared, port: { number } }));
	return { ...without(policy, "tls"), portLevelSettings: [...levels, ...own] };
}
