import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Auditor, WorldChange } from "../audit/auditor.ts";
import { createAuditor } from "../audit/auditor.ts";
import type { Backfill, BackfillExtent, BackfillStatus } from "../audit/backfill.ts";
import { startBackfill } from "../audit/backfill.ts";
import { createEventSender, exemptionNotices } from "../audit/events.ts";
import type { ListedExemption } from "../audit/exemptions.ts";
import { countExemptions, listExemptions } from "../audit/exemptions.ts";
import type { AuditChange } from "../audit/judged.ts";
import { hostStates } from "../audit/judged.ts";
import type { Load } from "../audit/pace.ts";
import { createPacer } from "../audit/pace.ts";
import type { Publisher } from "../audit/publish.ts";
import { publishReports } from "../audit/publish.ts";
import { reportContent } from "../audit/report.ts";
import type { AuditRun } from "../audit/run.ts";
import { runAuditor, touchedNamespaces } from "../audit/run.ts";
import { Tally } from "../audit/tally.ts";
import { createEngine } from "../core/engine.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Kind } from "../core/kinds.ts";
import type { Rule } from "../core/rule.ts";
import type { Connection } from "../kube/client/connection.ts";
import { keepLease } from "../kube/install/lease.ts";
import { compactMemory } from "../kube/watch/memory.ts";
import type { AuditFigures } from "../server/audit-metrics.ts";
import { createAuditMetrics } from "../server/audit-metrics.ts";
import type { Check } from "../server/probes.ts";
import { createReachMetrics } from "../server/reach-metrics.ts";
import { auditedKinds } from "./followed-kinds.ts";
import type { ReachKeeper } from "./reach.ts";
import { keepReach } from "./reach.ts";

/** What auditing needs of a running Waymark. */
export interface AuditOptions {
	readonly inventory: Inventory;
	readonly rules: readonly Rule[];
	readonly connection: Connection;
	/** Waymark's own namespace, where the Lease is. */
	readonly namespace: string;
	readonly lease: string;
	/** This replica's name, unique among all. */
	readonly identity: string;
	readonly registry: Registry;
	readonly log: Logger;
	/** What is answered meanwhile: auditing stands back. */
	readonly load: Load;
	/** Whether entries that were there before are bound; undefined: they are not even looked for. */
	readonly backfill: BackfillExtent | undefined;
	/** Tells of every change of the world, of which the kinds that are only judged become a part, until it is stopped. */
	readonly follow: (
		further: readonly Kind[],
		listener: (change: WorldChange) => void,
	) => { readonly synced: Promise<void>; stop(): Promise<void> };
}

/** Auditing as one replica of several: whoever holds the Lease judges, reports and tells. */
export interface Audit {
	checks(): readonly Check[];
	/** The configuration is another one: everything is judged again. */
	configured(): void;
	stop(): Promise<void>;
}

/** One spell as holder. */
interface Spell {
	readonly auditor: Auditor;
	readonly run: AuditRun;
	readonly publisher: Publisher | undefined;
	readonly backfill: Backfill | undefined;
	readonly reach: ReachKeeper;
	/** Every exemption, as long as no Namespace has changed. */
	readonly exemptions: () => readonly ListedExemption[];
}

const lookForNewDayMs = 60_000;

function day(): string {
	return new Date().toISOString().slice(0, 10);
}

/** Begins to want the Lease, and to audit while it is held. */
export function startAudit(options: AuditOptions): Audit {
	let spell: Spell | undefined;
	let held: AbortSignal | undefined;
	let end = new AbortController();
	let asked = "";
	const begin = (): void => {
		end.abort();
		end = new AbortController();
		spell = undefined;
		if (held !== undefined && !held.aborted) {
			asked = JSON.stringify(options.inventory.settings.audit);
			spell = beginSpell(options, AbortSignal.any([held, end.signal]));
		}
	};
	const lease = keepLease({
		api: options.connection,
		namespace: options.namespace,
		name: options.lease,
		identity: options.identity,
		log: options.log,
		whileHeld(signal) {
			held = signal;
			begin();
			signal.addEventListener("abort", begin, { once: true });
		},
	});
	createAuditMetrics(options.registry, () => figuresOf(spell, options.inventory));
	createReachMetrics(options.registry, () => spell?.reach.figures());
	return {
		checks() {
			const isHolder = spell !== undefined;
			const reports = spell?.publisher?.status();
			const state = !isHolder
				? `${lease.holder() ?? "nobody"} holds the Lease`
				: spell?.auditor.isComplete() === true
					? "every stored object is judged"
					: "judging what is stored";
			const ok = reports?.state !== "failing";
			const told = reports === undefined ? "" : `; reports: ${reports.state}`;
			return [
				{
					name: "audit",
					ok,
					detail: `${state}${told}${reports?.problem === undefined ? "" : `: ${reports.problem}`}`,
					...(ok ? {} : { advisory: true as const }),
				},
				...backfillChecks(spell?.backfill?.status()),
				...(spell === undefined ? [] : [spell.reach.check()]),
			];
		},
		configured() {
			const isOther = asked !== JSON.stringify(options.inventory.settings.audit);
			// A backfill that stopped at a surprise stays stopped until somebody starts this replica anew.
			if (spell !== undefined && isOther && spell.backfill?.status().state !== "halted") {
				// Other reports, another name of the cluster: what writes them begins anew.
				begin();
				return;
			}
			spell?.auditor.restart(day());
			spell?.run.wake();
			spell?.reach.configured();
		},
		stop: () => lease.stop(),
	};
}

function beginSpell(options: AuditOptions, signal: AbortSignal): Spell {
	const { inventory, rules, connection, log } = options;
	const { reports, reportSeconds, events, cluster } = inventory.settings.audit;
	const families = new Map(rules.map(({ id, family }) => [id, family]));
	const touched = touchedNamespaces();
	let changes: AuditChange[] = [];
	const engine = createEngine(rules);
	const auditor = createAuditor({
		engine,
		inventory,
		today: day(),
		gaps: () => reach.gaps(),
		onChange(change) {
			touched.add(change);
			// What was so when this replica began is told by the reports; Events are for what becomes so.
			if (events && auditor.isComplete()) {
				changes.push(change);
			}
		},
		onLoss() {
			isLossNew = true;
		},
	});
	let isLossNew = false;
	const pacer = createPacer(options.load);
	const judged = Promise.withResolvers<void>();
	const reportable = Promise.withResolvers<void>();
	const publisher =
		reports === "none"
			? undefined
			: publishReports(
					{
						server: connection,
						api: reports,
						complete: reportable.promise,
						cluster,
						log,
						pacer,
						times: { restMs: reportSeconds * 1_000 },
						content(namespace) {
							const objects = [...auditor.inNamespace(namespace)];
							const lost = namespace === "" ? auditor.tally.lostWaypoints(inventory) : [];
							return objects.length + lost.length === 0
								? undefined
								: reportContent(objects, (rule) => families.get(rule), lost);
						},
					},
					signal,
				);
	const sender = createEventSender({
		server: connection,
		instance: options.identity,
		signal,
		onFailure: (error, dropped) =>
			log.warn({ dropped, ...(error === undefined ? {} : { err: error }) }, "events not sent"),
	});
	const onQuiet = (): void => {
		if (isLossNew) {
			// One line says of a lost waypoint what thousands of reports say of its entries.
			publisher?.touch("", true);
			isLossNew = false;
		}
		for (const { name, isWorse } of touched.take()) {
			publisher?.touch(name, isWorse);
		}
		const told = changes;
		changes = [];
		void sender.send(told);
	};
	const run = runAuditor(auditor, onQuiet, pacer);
	let listed: readonly ListedExemption[] | undefined;
	const exemptions = (): readonly ListedExemption[] => {
		listed ??= listExemptions(inventory, day());
		return listed;
	};
	const tellExemptions = async (): Promise<void> => {
		if (inventory.settings.audit.events && !signal.aborted) {
			await sender.tellDaily(exemptionNotices(exemptions()), day());
		}
	};
	const reach = keepReach({
		inventory,
		connection,
		today: day,
		log,
		signal,
		follow: options.follow,
		audited: judged.promise,
		pacer,
		onGaps(objects) {
			for (const object of objects) {
				auditor.rejudge(object);
			}
			run.wake();
		},
	});
	const following = options.follow(auditedKinds, (change) => {
		if (change.kind === "Namespace") {
			listed = undefined;
		}
		auditor.changed(change);
		run.wake();
	});
	// The kinds that are only judged are listed first: what they lack until then would be no finding.
	void following.synced.then(() => run.quiet()).then(judged.resolve);
	// Without the gaps, the first report after a change of holders would take back what the last holder said of them.
	void Promise.all([judged.promise, reach.first])
		.then(() => run.quiet())
		.then(reportable.resolve);
	void judged.promise.then(tellExemptions);
	// What the first audit and reach have left behind would stay for ever.
	void reportable.promise.then(() => compactWhenCalm(options.load.answered, signal));
	let today = day();
	const calendar = setInterval(() => {
		if (day() !== today) {
			// Exemptions end by the day.
			today = day();
			listed = undefined;
			auditor.restart(today);
			run.wake();
			void tellExemptions();
			reach.configured();
		}
	}, lookForNewDayMs);
	calendar.unref();
	signal.addEventListener(
		"abort",
		() => {
			void following.stop();
			clearInterval(calendar);
			run.stop();
		},
		{ once: true },
	);
	const backfill =
		options.backfill === undefined
			? undefined
			: startBackfill(
					{
						extent: options.backfill,
						engine,
						inventory,
						server: connection,
						complete: judged.promise,
						today: day,
						log,
						onHalt: (notice) => {
							if (events) {
								void sender.tellDaily([notice], day());
							}
						},
					},
					signal,
				);
	return { auditor, run, publisher, backfill, reach, exemptions };
}

/** So long without an admission, and nobody is likely to wait for the pause that it costs. */
const calmMs = 1_000;
/** Where admissions never end, one of them waits. */
const mostCalmingMs = 60_000;

async function compactWhenCalm(answered: () => number, signal: AbortSignal): Promise<void> {
	const end = performance.now() + mostCalmingMs;
	for (let before = -1; !signal.aborted && answered() !== before && performance.now() < end; ) {
		before = answered();
		await sleep(calmMs, undefined, { ref: false });
	}
	if (!signal.aborted) {
		compactMemory();
	}
}

function backfillChecks(status: BackfillStatus | undefined): readonly Check[] {
	if (status === undefined) {
		return [];
	}
	const { state, pending, bound, problem } = status;
	const ok = state !== "halted";
	const detail = `${state}, ${pending} to bind, ${bound} bound${problem === undefined ? "" : `: ${problem}`}`;
	return [{ name: "backfill", ok, detail, ...(ok ? {} : { advisory: true as const }) }];
}

const nothing = new Tally();

function figuresOf(spell: Spell | undefined, inventory: Inventory): AuditFigures {
	const { objects, findings, hosts, lost } = spell?.auditor.tally ?? nothing;
	return {
		objects,
		findings,
		hosts: Object.fromEntries(hostStates.map((state) => [state, hosts.get(state) ?? 0])),
		lostWaypoints: lost,
		exemptions: countExemptions(spell?.exemptions() ?? []),
		namespaces: findingsByNamespace(spell, inventory.settings.metrics.namespaces),
		backfill: spell?.backfill?.status(),
		waitingMs: spell?.run.waitingMs() ?? 0,
		isComplete: spell?.auditor.isComplete() ?? false,
		isHolder: spell !== undefined,
		reportsWaiting: spell?.publisher?.status().waiting ?? 0,
	};
}

function findingsByNamespace(
	spell: Spell | undefined,
	namespaces: ReadonlySet<string>,
): AuditFigures["namespaces"] {
	return new Map(
		[...(spell === undefined ? [] : namespaces)].map((namespace) => {
			const counts = { error: 0, warning: 0, info: 0 };
			for (const { findings } of spell?.auditor.inNamespace(namespace) ?? []) {
				for (const { severity } of findings) {
					counts[severity] += 1;
				}
			}
			return [namespace, counts];
		}),
	);
}
