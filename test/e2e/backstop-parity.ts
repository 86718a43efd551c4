import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import type { Subject } from "../../src/core/evaluate.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { AnyObject } from "../../src/core/kinds.ts";
import { kindOfObject, kinds } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import type { Settings } from "../../src/core/settings.ts";
import type { Manifest } from "../../src/export/mesh-table.ts";
import { meshTable, tableDefinition, tableKind, tableVersion } from "../../src/export/mesh-table.ts";
import type { BackstopOptions } from "../../src/export/policy-objects.ts";
import { rules } from "../../src/rules/table.ts";
import type { ApiAnswer, KubeObject, User } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";

/** The user whom the tests call Waymark, with every right. */
export const waymark: User = {
	name: "system:serviceaccount:waymark-system:waymark",
	groups: ["system:masters"],
};

/** What the tests print unless they say otherwise. */
export function backstopOptions(settings: Settings, more: Partial<BackstopOptions> = {}): BackstopOptions {
	return {
		settings,
		rules,
		exempt: [],
		labels: {},
		actions: ["deny"],
		editors: "settings",
		istioNamespace: "istio-system",
		account: waymark.name,
		...more,
	};
}

/** A write that is judged by `evaluate` and by the API server. */
export interface Case {
	readonly object: AnyObject;
	readonly old?: AnyObject;
}

/** A case that the two judge differently. */
export interface Difference {
	readonly expected: readonly string[];
	readonly got: readonly string[];
	readonly message: string;
	readonly case: Case;
	readonly annotations: unknown;
}

/** How cases were judged. */
export interface Parity {
	/** Judged alike. */
	readonly same: number;
	/** Of these, refused. */
	readonly denied: number;
	/** Refused by the schema, so that no policy saw them. */
	readonly invalid: number;
	readonly differences: readonly Difference[];
}

const path = (object: AnyObject): string => {
	const kind = kindOfObject(object);
	if (kind === undefined) {
		throw new Error(`Cannot write ${object.kind}: unknown kind`);
	}
	const { group, plural, namespaced } = kinds[kind];
	const version = (object.apiVersion ?? "").split("/").at(-1) ?? "";
	const base = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
	return `${base}${namespaced ? `/namespaces/${object.metadata?.namespace ?? ""}` : ""}/${plural}`;
};

const policyPath = ({ apiVersion, kind, metadata }: Manifest): string => {
	const plural = kind.endsWith("y") ? `${kind.slice(0, -1)}ies` : `${kind}s`;
	return `/apis/${apiVersion}/${plural.toLowerCase()}/${metadata.name}`;
};

/** Applies policies, the table's definition among them, and takes them away again when it is disposed of. */
export async function installPolicies(
	plane: ControlPlane,
	policies: readonly Manifest[],
): Promise<AsyncDisposable> {
	for (const policy of policies) {
		await plane.api.apply(policy as KubeObject);
	}
	return {
		async [Symbol.asyncDispose]() {
			// Bindings first: a policy without one holds nothing.
			for (const policy of policies.toReversed()) {
				await plane.api.request("DELETE", policyPath(policy));
			}
			// The API server looks for changed policies once a second.
			await sleep(1500);
		},
	};
}

/** Waits until a write is answered with this status; policies take about a second. */
export async function waitForAnswer(
	plane: ControlPlane,
	object: AnyObject,
	status: number,
	options: { readonly as?: User; readonly includes?: string; readonly what?: string } = {},
): Promise<ApiAnswer> {
	let last: ApiAnswer | undefined;
	for (let tries = 0; tries < 300; tries++) {
		last = await dryCreate(plane, object, options.as);
		if (last.status === status && messageOf(last).includes(options.includes ?? "")) {
			return last;
		}
		await sleep(100);
	}
	throw new Error(
		`Cannot see ${status} ${options.what ?? options.includes ?? ""}: ${last?.status} ${messageOf(last)}`,
	);
}

/** What an answer says. */
export function messageOf(answer: ApiAnswer | undefined): string {
	const body = answer?.body as { readonly message?: string } | undefined;
	return body?.message ?? "";
}

/** Creates an object as a dry run. */
export async function dryCreate(plane: ControlPlane, object: AnyObject, as?: User): Promise<ApiAnswer> {
	return await plane.api.request("POST", `${path(object)}?dryRun=All`, {
		body: object as KubeObject,
		...(as === undefined ? {} : { as }),
	});
}

/** The ids in a message of one of our policies. */
export function rulesIn(message: string): readonly string[] {
	const found = message.matchAll(/(?:denied request: |; )([a-z]+-[a-z-]+): /g);
	return [...new Set([...found].map((match) => match[1] ?? ""))].toSorted();
}

/** Writes the table of a world, as of now unless told. */
export async function writeTable(
	plane: ControlPlane,
	world: ClusterState,
	written: Date = new Date(),
): Promise<void> {
	const table = {
		apiVersion: tableVersion,
		kind: tableKind,
		metadata: { name: "waymark" },
		spec: { ...meshTable(world), written: written.toISOString() },
	};
	const old = await plane.api.get(`${tableKind}.egress.waymark.dev`, undefined, "waymark");
	const answer = await plane.api.request(
		old === undefined ? "POST" : "PUT",
		`/apis/${tableVersion}/meshtables${old === undefined ? "" : "/waymark"}`,
		{
			as: waymark,
			body: {
				...table,
				metadata: {
					...table.metadata,
					...(old === undefined ? {} : { resourceVersion: old.metadata.resourceVersion }),
				},
			} as KubeObject,
		},
	);
	if (answer.status >= 300) {
		throw new Error(`Cannot write the table: ${messageOf(answer)}`);
	}
}

/** Applies the definition of the table and waits until it is served. */
export async function defineTable(plane: ControlPlane): Promise<void> {
	await plane.api.apply(tableDefinition as KubeObject);
	for (let tries = 0; tries < 300; tries++) {
		if ((await plane.api.request("GET", `/apis/${tableVersion}/meshtables`)).status === 200) {
			return;
		}
		await sleep(100);
	}
	throw new Error("Cannot see that the table is served");
}

/** Stores what updates replace; nothing may refuse it. Those that the schema refuses are left out. */
export async function storeOlds(plane: ControlPlane, cases: readonly Case[]): Promise<readonly Case[]> {
	const stored: Case[] = [];
	for (const each of cases) {
		if (each.old !== undefined) {
			const answer = await plane.api.request("POST", path(each.old), { body: each.old as KubeObject });
			if (answer.status < 300) {
				stored.push(each);
			}
		}
	}
	return stored;
}

async function write(plane: ControlPlane, { object, old }: Case): Promise<ApiAnswer> {
	if (old === undefined) {
		return await dryCreate(plane, object);
	}
	const place = `${path(object)}/${object.metadata?.name ?? ""}`;
	for (;;) {
		// istiod writes its status meanwhile.
		const live = (await plane.api.request("GET", place)).body as KubeObject;
		const answer = await plane.api.request("PUT", `${place}?dryRun=All`, {
			body: {
				...object,
				metadata: { ...object.metadata, resourceVersion: live.metadata.resourceVersion },
			} as KubeObject,
		});
		if (answer.status !== 409) {
			return answer;
		}
	}
}

/** Judges every case by `evaluate` with some rules, and by the API server. */
export async function compare(
	plane: ControlPlane,
	world: ClusterState,
	chosen: readonly Rule[],
	cases: readonly Case[],
): Promise<Parity> {
	const engine = { ...createEngine(chosen), ids: new Set(rules.map((rule) => rule.id)) };
	const differences: Difference[] = [];
	let [same, denied, invalid] = [0, 0, 0];
	for (const each of cases) {
		const answer = await write(plane, each);
		const message = messageOf(answer);
		if (answer.status === 422 && !message.includes("AdmissionPolicy")) {
			invalid++;
			continue;
		}
		const judged = expectedRules(engine, world, each);
		const got =
			answer.status < 300 ? [] : answer.status === 403 ? rulesIn(message) : [`HTTP ${answer.status}`];
		// The second malformed annotation of a namespace is a new mistake at an old place to Waymark, and to CEL an old one.
		const expected =
			each.old !== undefined && !got.includes("serviceentry-namespace-policy")
				? judged.filter((id) => id !== "serviceentry-namespace-policy")
				: judged;
		denied += expected.length > 0 ? 1 : 0;
		// A long list is cut.
		const isSame =
			// An update may make internal what was unbound before: a new mistake to Waymark, the old one to CEL.
			(got.length > 0 === expected.length > 0 ||
				(each.old !== undefined && expected.join() === "serviceentry-location")) &&
			// Waymark knows an old mistake by its place, CEL by its words: of an update, the decision is held to.
			(each.old !== undefined ||
				(/ more$/.test(message)
					? withoutGuess(got, expected).every((id) => expected.includes(id))
					: withoutGuess(got, expected).join() === withoutGuess(expected, expected).join()));
		same += isSame ? 1 : 0;
		if (!isSame) {
			const namespace = world.get("Namespace", "", each.object.metadata?.namespace ?? "");
			differences.push({ expected, got, message, case: each, annotations: namespace?.metadata });
		}
	}
	return { same, denied, invalid, differences };
}

/** What Waymark knows to be a host on the internet, CEL only finds unbound: another rule, the same refusal. */
function withoutGuess(ids: readonly string[], expected: readonly string[]): readonly string[] {
	return expected.includes("serviceentry-location")
		? ids.filter((id) => id !== "serviceentry-location" && id !== "serviceentry-waypoint-binding")
		: ids;
}

function expectedRules(
	engine: ReturnType<typeof createEngine>,
	world: ClusterState,
	{ object, old }: Case,
): readonly string[] {
	const kind = kindOfObject(object);
	if (kind === undefined) {
		throw new Error(`Cannot judge ${object.kind}`);
	}
	const subject: Subject = {
		kind,
		namespace: kinds[kind].namespaced ? (object.metadata?.namespace ?? "") : "",
		name: object.metadata?.name ?? undefined,
		object,
		...(old === undefined ? {} : { old }),
		today: new Date().toISOString().slice(0, 10),
	};
	const { denials, faults } = evaluate(engine, world, subject);
	if (faults[0] !== undefined) {
		throw faults[0].error;
	}
	return [...new Set(denials.map((finding) => finding.rule))].toSorted();
}
