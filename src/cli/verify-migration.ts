import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readManifests } from "../manifests/read.ts";
import type { Fields } from "../migrate/fields.ts";
import { fieldsOf } from "../migrate/fields.ts";
import { outputKey } from "../migrate/input-object.ts";
import type { LiveObjects, StageName, StageState } from "../migrate/verify.ts";
import { neededSecrets, stageNames, verifyBack, verifyStages } from "../migrate/verify.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { listCluster } from "./cluster-manifests.ts";
import type { Streams } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";

/** What `migrate --verify` is asked for. */
export interface VerifyOptions {
	/** The folder that an earlier run wrote. */
	readonly folder: string;
	readonly access: ClusterAccess;
	/** The stage up to which everything has to be done, or the way back; undefined for all stages. */
	readonly stage: StageName | "back" | undefined;
	readonly json: boolean;
}

/** Says how far a cluster is with a migration, without writing to it; 0 where the stages that were asked for are done. */
export async function verifyMigration(options: VerifyOptions, streams: Streams): Promise<number> {
	const stages = new Map(stageNames.map((name) => [name, objectsIn(join(options.folder, name))]));
	if ([...stages.values()].every((objects) => objects.length === 0)) {
		throw new UsageError(
			`--out ${JSON.stringify(options.folder)} has none of ${stageNames.join(", ")} to verify`,
		);
	}
	const written = { stages, back: objectsIn(join(options.folder, "back")) };
	const all = [...written.back, ...[...stages.values()].flat(), ...neededSecrets(stages)];
	const { objects, kinds, forbidden } = await listCluster(options.access, all);
	const isForbidden = new Set([...forbidden].map(keyOf));
	const byKey = new Map(objects.map((object) => [keyOf(object), object]));
	const live: LiveObjects = {
		find: (object) =>
			isForbidden.has(keyOf(object))
				? "forbidden"
				: kinds.has(String(object.kind))
					? byKey.get(keyOf(object))
					: "unknown",
		namespaces: objects.filter(({ kind }) => kind === "Namespace"),
	};
	const isBack = options.stage === "back";
	const states = isBack ? [verifyBack(written, live)] : verifyStages(written, live);
	streams.out(
		options.json ? `${JSON.stringify({ version: 1, stages: states }, undefined, 2)}\n` : textOf(states),
	);
	const last =
		options.stage === undefined || options.stage === "back"
			? states.length
			: stageNames.indexOf(options.stage) + 1;
	const isDone = states.slice(0, last).every(({ missing }) => missing.length === 0);
	return isDone ? exitCodes.clean : exitCodes.findings;
}

/** Two groups have a Gateway. */
function keyOf(object: Fields): string {
	return `${String(object.apiVersion).split("/")[0] ?? ""} ${outputKey(object)}`;
}

function objectsIn(folder: string): readonly Fields[] {
	return existsSync(folder) && readdirSync(folder).length > 0
		? readManifests([folder]).manifests.map(({ object }) => fieldsOf(object))
		: [];
}

function textOf(states: readonly StageState[]): string {
	const lines = states
		.filter(({ objects }) => objects > 0)
		.flatMap(({ name, objects, done, missing, breaks }) => [
			`${name}: ${done} of ${objects} ${done === objects ? "done" : "done so far"}`,
			...missing.map((each) => `  missing: ${each}`),
			...breaks.map((each) => `  would break: ${each}`),
		]);
	return `${lines.join("\n")}\n`;
}
