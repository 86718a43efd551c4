import type { Path } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import { serverFields } from "./entries.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, leavesOf, listOf, textOf, valueAt } from "./fields.ts";

/** The folders of a migration, in their order. */
export const stageNames = ["1-add", "2-switch", "3-remove"] as const;
/** A folder of a migration. */
export type StageName = (typeof stageNames)[number];

/** How far a stage of a migration, or the way back, is in a cluster. */
export interface StageState {
	readonly name: StageName | "back";
	/** Objects of the stage. */
	readonly objects: number;
	/** Those that are as the stage wants them. */
	readonly done: number;
	/** What is missing, one sentence for each object. */
	readonly missing: readonly string[];
	/** What goes wrong if this stage is carried out now. */
	readonly breaks: readonly string[];
}

/** A cluster's objects, with their status. */
export interface LiveObjects {
	/**
	 * The object of a kind, or undefined; `unknown` for kinds that are not read, `forbidden` for objects that this user
	 * may not read.
	 */
	find(object: Fields): Fields | "unknown" | "forbidden" | undefined;
	readonly namespaces: readonly Fields[];
}

/** What an earlier run wrote: the stages, and the objects that they continue as they were. */
export interface WrittenMigration {
	readonly stages: ReadonlyMap<StageName, readonly Fields[]>;
	readonly back: readonly Fields[];
}

/** Compares what a migration wrote with a cluster: what is done, what is missing, what the next stage would break. */
export function verifyStages({ stages, back }: WrittenMigration, live: LiveObjects): readonly StageState[] {
	const result: StageState[] = [];
	for (const name of stageNames) {
		const objects = stages.get(name) ?? [];
		const own = objects.flatMap((object) =>
			name === "3-remove" ? (stillThere(object, live) ?? []) : (notYet(object, live) ?? []),
		);
		const missing = [...own, ...(name === "1-add" ? missingSecrets(stages, live) : [])];
		const before = result.flatMap((stage) => stage.missing);
		const breaks = [
			...before,
			...objects.flatMap((object) => changedSince(object, name, back, live) ?? []),
			...sidecarsAt(name, objects, live),
		];
		result.push({
			name,
			objects: objects.length,
			done: objects.length - own.length,
			missing,
			breaks: missing.length === 0 ? [] : breaks,
		});
	}
	return result;
}

/**
 * How far the way back is: what the stages continue is as it was, what they remove is there, and what they added under
 * names of its own is gone.
 */
export function verifyBack({ stages, back }: WrittenMigration, live: LiveObjects): StageState {
	const old = [...back, ...(stages.get("3-remove") ?? [])];
	const names = new Set(old.map(titleOf));
	const added = [...(stages.get("1-add") ?? []), ...(stages.get("2-switch") ?? [])].filter(
		(object) => !names.has(titleOf(object)),
	);
	const missing = [
		...old.flatMap((object) => notAsWritten(object, live) ?? boundStill(object, live) ?? []),
		...added.flatMap((object) => stillThere(object, live) ?? []),
	];
	const objects = old.length + added.length;
	return { name: "back", objects, done: objects - missing.length, missing, breaks: [] };
}

/** What `kubectl apply` of the old object leaves, where another tool than kubectl wrote it before. */
function boundStill(object: Fields, live: LiveObjects): string | undefined {
	const isBound = (each: unknown): boolean =>
		Object.hasOwn(fieldsOf(fieldsOf(fieldsOf(each).metadata).labels), "istio.io/use-waypoint");
	return isBound(live.find(object)) && !isBound(object)
		? `${titleOf(object)} has the label istio.io/use-waypoint still`
		: undefined;
}

/** The Secrets that TLS settings of the stages name, in the namespaces of the waypoints that need them. */
export function neededSecrets(stages: WrittenMigration["stages"]): readonly Fields[] {
	const objects = [...(stages.get("1-add") ?? []), ...(stages.get("2-switch") ?? [])];
	const entries = objects.filter(({ kind }) => kind === "ServiceEntry");
	const secrets = objects
		.filter(({ kind }) => kind === "DestinationRule")
		.flatMap((rule) => {
			const host = textOf(fieldsOf(rule.spec).host);
			const places = entries
				.filter(({ spec }) => listOf(fieldsOf(spec).hosts).includes(host))
				.map(({ metadata }) => fieldsOf(fieldsOf(metadata).labels)["istio.io/use-waypoint-namespace"]);
			const names = [...leavesOf(rule)]
				.filter((path) => path.at(-1) === "credentialName")
				.flatMap((path) => textOf(valueAt(rule, path)) ?? [])
				.filter((name) => !name.includes("://"));
			return places.flatMap((namespace) => names.map((name) => ({ namespace, name })));
		});
	const unique = new Map(secrets.map((each) => [`${String(each.namespace)}/${each.name}`, each]));
	return [...unique.values()].map((metadata) => ({ apiVersion: "v1", kind: "Secret", metadata }));
}

function missingSecrets(stages: WrittenMigration["stages"], live: LiveObjects): readonly string[] {
	return neededSecrets(stages).flatMap((secret) => {
		const found = live.find(secret);
		return found === undefined
			? [`${titleOf(secret)} is not there: the waypoint begins no TLS without it`]
			: found === "forbidden"
				? [unreadable(secret)]
				: [];
	});
}

function unreadable(object: Fields): string {
	return `${titleOf(object)} was not looked at: this user may not get it`;
}

/** An object of the cluster that somebody changed after the migration was written. */
function changedSince(
	object: Fields,
	stage: StageName,
	back: readonly Fields[],
	live: LiveObjects,
): string | undefined {
	const found = live.find(object);
	const old = stage === "3-remove" ? object : back.find((each) => titleOf(each) === titleOf(object));
	if (typeof found !== "object" || old === undefined) {
		return undefined;
	}
	const path = firstDifference(old, found);
	const isDone = stage !== "3-remove" && firstDifference(object, found) === undefined;
	return path === undefined || isDone
		? undefined
		: `${titleOf(object)} was changed at ${formatPath(path)} after the migration was written: run migrate again`;
}

/** What a stage does to pods that have a sidecar still. */
function sidecarsAt(name: StageName, objects: readonly Fields[], live: LiveObjects): readonly string[] {
	const isSeen = objects.some(({ kind }) => kind === "ServiceEntry" || kind === "DestinationRule");
	if (name === "1-add" || (name === "2-switch" && !isSeen)) {
		return [];
	}
	const effect =
		name === "2-switch"
			? "its pods read these ServiceEntries and DestinationRules too"
			: "its pods would lose the old way out, if they use it";
	return withSidecars(live).map((namespace) => `namespace ${namespace} gets sidecars still: ${effect}`);
}

function titleOf(object: Fields): string {
	const { namespace, name } = fieldsOf(object.metadata);
	return `${String(object.kind)} ${textOf(namespace) ?? ""}/${textOf(name) ?? ""}`;
}

function stillThere(object: Fields, live: LiveObjects): string | undefined {
	const found = live.find(object);
	return found === undefined
		? undefined
		: found === "forbidden"
			? unreadable(object)
			: found === "unknown"
				? notRead(object)
				: `${titleOf(object)} is there still`;
}

function notRead(object: Fields): string {
	return `${titleOf(object)} was not looked at: its kind is not read`;
}

function notYet(object: Fields, live: LiveObjects): string | undefined {
	const problem = notAsWritten(object, live);
	const found = live.find(object);
	return problem ?? (typeof found === "object" ? notReady(object, found) : undefined);
}

function notAsWritten(object: Fields, live: LiveObjects): string | undefined {
	const found = live.find(object);
	switch (found) {
		case undefined:
			return `${titleOf(object)} is not there`;
		case "unknown":
			return notRead(object);
		case "forbidden":
			return unreadable(object);
		default: {
			const path = firstDifference(object, found);
			return path === undefined ? undefined : `${titleOf(object)} differs at ${formatPath(path)}`;
		}
	}
}

/** Something that was written and is otherwise in the cluster; what servers add is no difference. */
function firstDifference(written: Fields, live: Fields): Path | undefined {
	for (const path of leavesOf(written)) {
		if (!isServers(path) && JSON.stringify(valueAt(written, path)) !== JSON.stringify(valueAt(live, path))) {
			return path;
		}
	}
	return undefined;
}

/** What the API server, a controller or kubectl writes into an object. */
function isServers([first, second, third]: Path): boolean {
	return (
		first === "apiVersion" ||
		first === "status" ||
		(first === "metadata" &&
			(serverFields.includes(String(second)) ||
				(second === "annotations" && third === "kubectl.kubernetes.io/last-applied-configuration")))
	);
}

function notReady(written: Fields, live: Fields): string | undefined {
	const status = fieldsOf(live.status);
	if (written.kind === "ServiceEntry") {
		const bound = listOf(status.conditions)
			.map(fieldsOf)
			.find(({ type }) => type === "istio.io/WaypointBound");
		return bound?.status === "True"
			? undefined
			: `${titleOf(written)} is not bound${bound === undefined ? "" : `: ${textOf(bound.message) ?? textOf(bound.reason) ?? ""}`}`;
	}
	if (written.kind === "Gateway" && listOf(status.addresses).length === 0) {
		return `${titleOf(written)} has no address`;
	}
	return undefined;
}

/** Namespaces whose pods get sidecars: they need the old gateway still. */
function withSidecars({ namespaces }: LiveObjects): readonly string[] {
	return namespaces.flatMap((namespace) => {
		const { name, labels } = fieldsOf(namespace.metadata);
		const own = fieldsOf(labels);
		const revision = textOf(own["istio.io/rev"]) ?? "";
		const isInjected =
			own["istio-injection"] === "enabled" || (revision !== "" && own["istio-injection"] !== "disabled");
		const isAmbient = own["istio.io/dataplane-mode"] === "ambient";
		return isInjected && !isAmbient ? [textOf(name) ?? ""] : [];
	});
}
