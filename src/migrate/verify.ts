import type { Path } from "../core/finding.ts";
import { formatPath } from "../core/finding.ts";
import { serverFields } from "./entries.ts";
import type { Fields } from "./fields.ts";
import { fieldsOf, leavesOf, listOf, textOf, valueAt } from "./fields.ts";

/** The folders of a migration, in their order. */
export const stageNames = ["1-add", "2-switch", "3-remove"] as const;
/** A folder of a migration. */
export type StageName = (typeof stageNames)[number];

/** How far a stage of a migration is in a cluster. */
export interface StageState {
	readonly name: StageName;
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
	/** The object of a kind, or undefined; `unknown` for kinds that are not read. */
	find(object: Fields): Fields | "unknown" | undefined;
	readonly namespaces: readonly Fields[];
}

/** Compares what a migration wrote with a cluster: what is done, what is missing, what the next stage would break. */
export function verifyStages(
	stages: ReadonlyMap<StageName, readonly Fields[]>,
	live: LiveObjects,
): readonly StageState[] {
	const result: StageState[] = [];
	for (const name of stageNames) {
		const objects = stages.get(name) ?? [];
		const missing = objects.flatMap((object) =>
			name === "3-remove" ? (stillThere(object, live) ?? []) : (notYet(object, live) ?? []),
		);
		const before = result.flatMap((stage) => stage.missing);
		const clients = name === "3-remove" && missing.length > 0 ? withSidecars(live) : [];
		result.push({
			name,
			objects: objects.length,
			done: objects.length - missing.length,
			missing,
			breaks: missing.length === 0 ? [] : [...before, ...clients],
		});
	}
	return result;
}

function titleOf(object: Fields): string {
	const { namespace, name } = fieldsOf(object.metadata);
	return `${String(object.kind)} ${textOf(namespace) ?? ""}/${textOf(name) ?? ""}`;
}

function stillThere(object: Fields, live: LiveObjects): string | undefined {
	return live.find(object) === undefined ? undefined : `${titleOf(object)} is there still`;
}

function notYet(object: Fields, live: LiveObjects): string | undefined {
	const found = live.find(object);
	if (found === "unknown") {
		return undefined;
	}
	if (found === undefined) {
		return `${titleOf(object)} is not there`;
	}
	const path = firstDifference(object, found);
	if (path !== undefined) {
		return `${titleOf(object)} differs at ${formatPath(path)}`;
	}
	return notReady(object, found);
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
		return isInjected && !isAmbient
			? [
					`namespace ${textOf(name) ?? ""} gets sidecars still: its pods would lose the old way out, if they use it`,
				]
			: [];
	});
}
