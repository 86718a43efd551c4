import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import type { NamedObject, WorldChange } from "../audit/auditor.ts";
import type { Pacer } from "../audit/pace.ts";
import type { ReachRun } from "../audit/reach-run.ts";
import { runReach } from "../audit/reach-run.ts";
import type { Inventory } from "../core/inventory.ts";
import type { AuthorizationPolicy, Kind } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import { pruneNulls } from "../core/prune-nulls.ts";
import type { Stepwise } from "../core/stepwise.ts";
import type { GeneratedPolicies } from "../export/authorization-policies.ts";
import { generatedLabel, walkPolicies } from "../export/authorization-policies.ts";
import type { Connection } from "../kube/client/connection.ts";
import type { Keeper, KeepStatus, KeepTimes } from "../kube/install/kept-objects.ts";
import { keepObjects } from "../kube/install/kept-objects.ts";
import type { FoundGaps } from "../reach/gaps.ts";
import type { Reach } from "../reach/reach.ts";
import { reachKinds } from "../reach/reach.ts";
import type { Check } from "../server/probes.ts";
import type { ReachFigures } from "../server/reach-metrics.ts";

/** What looking after reach needs, for one spell as holder of the Lease. */
export interface ReachKeeping {
	readonly inventory: Inventory;
	readonly connection: Pick<Connection, "request">;
	readonly today: () => string;
	readonly log: Logger;
	/** Ends it. */
	readonly signal: AbortSignal;
	/** Follows the AuthorizationPolicies as well, and tells of every change of the world. */
	readonly follow: (
		further: readonly Kind[],
		listener: (change: WorldChange) => void,
	) => { readonly synced: Promise<void>; stop(): Promise<void> };
	/** Objects of which the gaps are others than before. */
	readonly onGaps: (objects: readonly NamedObject[]) => void;
	/** Settles when the first audit is done: before it there is no time for anything else. */
	readonly audited: Promise<void>;
	readonly pacer: Pacer;
	readonly times?: Partial<KeepTimes>;
}

/** Reach as one replica looks after it. */
export interface ReachKeeper {
	gaps(): FoundGaps | undefined;
	/** Settles when gaps were looked for once, or nobody wants to know of them; what they say is in line to be judged then. */
	readonly first: Promise<void>;
	/** The configuration is another one, or the day. */
	configured(): void;
	check(): Check;
	figures(): ReachFigures;
}

/**
 * Works out where policies are not kept; with `reach: enforce` keeps AuthorizationPolicies that keep them. When the spell
 * ends, or the configuration no longer asks for them, the policies stay as they are.
 */
export function keepReach(options: ReachKeeping): ReachKeeper {
	const { inventory, log, signal } = options;
	const mode = (): "report" | "enforce" | "off" => inventory.settings.reach;
	let run: ReachRun | undefined;
	let following: { readonly synced: Promise<void>; stop(): Promise<void> } | undefined;
	let keeping: { readonly keeper: Keeper<AuthorizationPolicy>; readonly end: AbortController } | undefined;
	let generated: GeneratedPolicies | undefined;
	const first = Promise.withResolvers<void>();
	const counts = { applied: 0, deleted: 0, failed: 0 };

	const keeper = (): Keeper<AuthorizationPolicy> => {
		if (keeping === undefined) {
			const end = new AbortController();
			const either = AbortSignal.any([signal, end.signal]);
			keeping = { keeper: keepObjects(policyKeeping(options), either), end };
			log.info("authorization policies are kept");
		}
		return keeping.keeper;
	};
	const letGo = (): void => {
		if (keeping !== undefined) {
			const { applied, deleted, failed } = keeping.keeper.status();
			counts.applied += applied;
			counts.deleted += deleted;
			counts.failed += failed;
			keeping.end.abort();
			log.info("authorization policies are kept no longer, and stay as they are");
		}
		keeping = undefined;
		generated = undefined;
	};
	const further = function* (reach: Reach): Stepwise<void> {
		generated = yield* walkPolicies(reach, inventory, options.today(), "asking");
		if (mode() === "enforce") {
			keeper().want(generated.policies.flatMap((policy) => owned(policy, inventory)));
		}
	};
	const begin = (): void => {
		following = options.follow(["AuthorizationPolicy"], ({ kind, namespace, name }) => {
			if (kind === "AuthorizationPolicy" && namespace !== undefined && name !== undefined) {
				keeping?.keeper.saw(namespace, name);
			}
			if (reachKinds.includes(kind)) {
				run?.wake();
			}
		});
		void Promise.all([following.synced, options.audited]).then(() => {
			if (!signal.aborted) {
				run = runReach({
					inventory,
					pacer: options.pacer,
					today: options.today,
					wantsReach: () => mode() === "enforce",
					further,
					onGaps: options.onGaps,
				});
				void run.first.then(first.resolve);
			}
		});
	};
	if (mode() === "off") {
		first.resolve();
	} else {
		begin();
	}
	signal.addEventListener(
		"abort",
		() => {
			run?.stop();
			void following?.stop();
		},
		{ once: true },
	);
	const status = (): KeepStatus | undefined => keeping?.keeper.status();
	return {
		gaps: () => run?.found(),
		first: first.promise,
		configured() {
			if (mode() !== "enforce") {
				letGo();
			}
			if (following === undefined && mode() !== "off") {
				begin();
			}
			run?.wake();
		},
		check: () => checkOf(mode(), run, status(), generated),
		figures() {
			const now = status();
			return {
				gaps: run?.found()?.total,
				policies: {
					kept: now?.kept ?? 0,
					waiting: now?.waiting ?? 0,
					oversized: generated?.oversized.length ?? 0,
				},
				writes: {
					applied: counts.applied + (now?.applied ?? 0),
					deleted: counts.deleted + (now?.deleted ?? 0),
					failed: counts.failed + (now?.failed ?? 0),
				},
			};
		},
	};
}

/** The policy as it is kept: it belongs to its entry, and goes with it. None for an entry that is gone by now. */
function owned(policy: AuthorizationPolicy, inventory: Inventory): readonly AuthorizationPolicy[] {
	const name = policy.spec?.targetRefs?.[0]?.name ?? "";
	const entry = inventory.get("ServiceEntry", policy.metadata?.namespace ?? "", name);
	const uid = entry?.metadata?.uid;
	if (uid === undefined || uid === null || entry?.metadata?.deletionTimestamp) {
		return [];
	}
	const owner = { apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", name, uid };
	return [{ ...policy, metadata: { ...policy.metadata, ownerReferences: [owner] } }];
}

function policyKeeping({
	inventory,
	connection,
	log,
	times,
}: ReachKeeping): Parameters<typeof keepObjects<AuthorizationPolicy>>[0] {
	const { group, versions, plural } = kinds.AuthorizationPolicy;
	return {
		server: connection,
		path: (namespace, name) =>
			`/apis/${group}/${versions[0]}/namespaces/${encodeURIComponent(namespace)}/${plural}/${encodeURIComponent(name)}`,
		stored: (namespace, name) => inventory.get("AuthorizationPolicy", namespace, name),
		all: () => inventory.all("AuthorizationPolicy"),
		isOwn,
		isAsWanted,
		log,
		...(times === undefined ? {} : { times }),
	};
}

/** What was exported and applied by others bears the labels, too, but has no owner: it is theirs. */
function isOwn({ metadata }: AuthorizationPolicy): boolean {
	return (
		metadata?.labels?.[generatedLabel] !== undefined &&
		(metadata.ownerReferences ?? []).some(({ kind }) => kind === "ServiceEntry")
	);
}

/** Whether a stored policy does what the wanted one says, bears its labels and belongs to the same entry. */
function isAsWanted(stored: AuthorizationPolicy, wanted: AuthorizationPolicy): boolean {
	const labels = stored.metadata?.labels ?? {};
	const owners = new Set((stored.metadata?.ownerReferences ?? []).map(({ uid }) => uid));
	return (
		Object.entries(wanted.metadata?.labels ?? {}).every(([key, value]) => labels[key] === value) &&
		(wanted.metadata?.ownerReferences ?? []).every(({ uid }) => owners.has(uid)) &&
		isDeepStrictEqual(pruneNulls(stored.spec), pruneNulls(wanted.spec))
	);
}

function checkOf(
	mode: string,
	run: ReachRun | undefined,
	keeping: KeepStatus | undefined,
	generated: GeneratedPolicies | undefined,
): Check {
	const total = run?.found()?.total;
	const gaps =
		mode === "off"
			? ""
			: total === undefined
				? ", not worked out yet"
				: `, ${total.waypoint + total.direct} gaps`;
	const kept =
		keeping === undefined
			? ""
			: `, ${keeping.kept} policies kept, ${keeping.waiting} waiting, ${generated?.oversized.length ?? 0} too large`;
	const problem = keeping?.problem === undefined ? "" : `: ${keeping.problem}`;
	const ok = problem === "" && (generated?.oversized.length ?? 0) === 0;
	return {
		name: "reach",
		ok,
		detail: `${mode}${gaps}${kept}${problem}`,
		...(ok ? {} : { advisory: true as const }),
	};
}
