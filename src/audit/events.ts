import { createHash } from "node:crypto";
import { mention, quote } from "../core/finding.ts";
import { kinds } from "../core/kinds.ts";
import type { ListedExemption } from "./exemptions.ts";
import { toldDays } from "./exemptions.ts";
import type { AuditChange, AuditedObject } from "./judged.ts";
import type { ReportServer } from "./publish.ts";
import { statusOf } from "./publish.ts";

/** What an Event says: the object's own, or its Namespace's. */
export interface Notice {
	readonly about: {
		readonly apiVersion: string;
		readonly kind: string;
		readonly namespace: string;
		readonly name: string;
		readonly uid: string | undefined;
	};
	readonly reason: "Ungoverned" | "RuleBroken" | "ExemptionEnds" | "Backfill";
	readonly note: string;
}

/** One notice for each Namespace with an exemption that has ended or ends within `toldDays`, those that end first. */
export function exemptionNotices(list: readonly ListedExemption[]): readonly Notice[] {
	const byNamespace = Map.groupBy(
		list.filter(({ daysLeft }) => daysLeft <= toldDays),
		({ namespace }) => namespace,
	);
	return [...byNamespace].map(([namespace, ending]): Notice => {
		const shown = ending.slice(0, 3).map(({ rule, until, daysLeft, owner }) => {
			const when = daysLeft < 0 ? `ended on ${until}` : `ends on ${until}, in ${daysLeft} days`;
			return `${mention(rule)} ${when}${owner === null ? "" : ` (${quote(owner)})`}`;
		});
		const rest = ending.length > 3 ? ` and ${ending.length - 3} more` : "";
		return {
			about: { apiVersion: "v1", kind: "Namespace", namespace: "", name: namespace, uid: undefined },
			reason: "ExemptionEnds",
			note: `Exemption from ${shown.join("; ")}${rest}; afterwards the rule denies again`,
		};
	});
}

/** What a change says that was not so before; undefined: nothing that anybody must be told. */
export function noticeOf({ before, after }: AuditChange): Notice | undefined {
	if (after === undefined) {
		return undefined;
	}
	const about = {
		apiVersion: after.apiVersion,
		kind: kinds[after.kind].kind,
		namespace: after.namespace,
		name: after.name,
		uid: after.uid,
	};
	const lost = countDirect(after) - (before === undefined ? countDirect(after) : countDirect(before));
	if (before !== undefined && lost > 0) {
		const reason = after.findings.find(({ severity }) => severity === "error")?.message;
		const hosts = lost === 1 ? "1 host is" : `${lost} hosts are`;
		return {
			about,
			reason: "Ungoverned",
			note: `${hosts} reached past the waypoint now${reason === undefined ? "" : `: ${reason}`}`,
		};
	}
	const had = new Set(before?.findings.map(({ rule, path }) => `${rule} ${path}`));
	const fresh = after.findings.find(
		({ rule, path, severity }) => severity === "error" && !had.has(`${rule} ${path}`),
	);
	return fresh === undefined
		? undefined
		: { about, reason: "RuleBroken", note: `${fresh.rule}: ${fresh.path}: ${fresh.message}` };
}

function countDirect({ hosts }: AuditedObject): number {
	return hosts.filter((state) => state === "direct").length;
}

/** Sends notices as Events (events.k8s.io/v1), few: an object and a Namespace have one each in five minutes. */
export interface EventSender {
	/** Takes the changes of one round. */
	send(changes: readonly AuditChange[]): Promise<void>;
	/** Tells what is so on a day: once a day for each object and reason, whichever replica tells it. */
	tellDaily(notices: readonly Notice[], day: string): Promise<void>;
}

/** An object's next Event waits so long. */
const quietMs = 5 * 60_000;
/** Events of one round; a change that breaks ten thousand entries is told by Namespaces, and counted. */
const mostEvents = 50;
/** Events of one day about exemptions: a list is at hand, and those that end first are told. */
const mostDaily = 200;
const mostNote = 1000;
const deadlineMs = 5_000;

/** A sender of Events in the name of one replica. */
export function createEventSender(options: {
	readonly server: ReportServer & {
		request(
			method: "POST",
			path: string,
			options?: { readonly body?: unknown; readonly signal?: AbortSignal; readonly deadlineMs?: number },
		): Promise<unknown>;
	};
	readonly instance: string;
	readonly signal: AbortSignal;
	readonly onFailure: (error: unknown, dropped: number) => void;
	readonly now?: () => Date;
}): EventSender {
	const { server, signal } = options;
	const now = options.now ?? (() => new Date());
	const toldAt = new Map<string, number>();
	const isDue = (key: string): boolean => now().getTime() - (toldAt.get(key) ?? 0) >= quietMs;
	const forget = (): void => {
		for (const [key, at] of toldAt) {
			if (now().getTime() - at >= quietMs) {
				toldAt.delete(key);
			}
		}
	};
	const post = (event: Event): Promise<unknown> =>
		server.request(
			"POST",
			`/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(event.metadata.namespace)}/events`,
			{ body: event, signal, deadlineMs },
		);
	return {
		async tellDaily(notices, day) {
			let left = notices.length;
			for (const notice of notices.slice(0, mostDaily)) {
				if (signal.aborted) {
					return;
				}
				try {
					await post(eventOf(notice, options.instance, now(), day));
				} catch (error) {
					if (statusOf(error) !== 409) {
						options.onFailure(error, left);
						return;
					}
				}
				left -= 1;
			}
			if (left > 0) {
				options.onFailure(undefined, left);
			}
		},
		async send(changes) {
			forget();
			const notices = changes.flatMap((change) => noticeOf(change) ?? []);
			const due = [...notices, ...namespaceNotices(notices)]
				.map((notice) => ({
					notice,
					key: `${notice.about.kind}/${notice.about.namespace}/${notice.about.name}`,
				}))
				.filter(({ key }) => isDue(key))
				// Namespaces first: they say most in fewest words.
				.toSorted(
					(one, other) =>
						Number(other.notice.about.kind === "Namespace") - Number(one.notice.about.kind === "Namespace"),
				);
			let sent = 0;
			for (const { notice, key } of due.slice(0, mostEvents)) {
				if (signal.aborted) {
					return;
				}
				toldAt.set(key, now().getTime());
				try {
					await post(eventOf(notice, options.instance, now()));
					sent += 1;
				} catch (error) {
					options.onFailure(error, due.length - sent);
					return;
				}
			}
			if (due.length > mostEvents) {
				options.onFailure(undefined, due.length - mostEvents);
			}
		},
	};
}

/** One notice for each Namespace in which something was noticed. */
function namespaceNotices(notices: readonly Notice[]): readonly Notice[] {
	const byNamespace = Map.groupBy(
		notices.filter(({ about }) => about.namespace !== ""),
		({ about }) => about.namespace,
	);
	return [...byNamespace].map(([namespace, list]): Notice => {
		const reason = list.some((notice) => notice.reason === "Ungoverned") ? "Ungoverned" : "RuleBroken";
		const names = list.slice(0, 3).map(({ about }) => `${about.kind} ${about.name}`);
		const rest = list.length > 3 ? ` and ${list.length - 3} more` : "";
		const what = reason === "Ungoverned" ? "are reached past the waypoint or break rules" : "break rules";
		return {
			about: { apiVersion: "v1", kind: "Namespace", namespace: "", name: namespace, uid: undefined },
			reason,
			note: `${names.join(", ")}${rest} ${what} now; kubectl get reports -n ${namespace}`,
		};
	});
}

interface Event {
	readonly metadata: { readonly name: string; readonly namespace: string };
}

/** @param once what makes the Event's name, so that a second one of that name is refused; the moment, unless given */
function eventOf(
	{ about, reason, note }: Notice,
	instance: string,
	now: Date,
	once?: string,
): Event & object {
	const time = now.toISOString().replace("Z", "000Z");
	const key = createHash("sha256")
		.update(JSON.stringify([about, reason, once ?? time]))
		.digest("hex")
		.slice(0, 16);
	// An Event about an object without a namespace lives in default (events.k8s.io, ValidateEvent).
	const namespace = about.kind === "Namespace" ? about.name : about.namespace || "default";
	const { uid, ...regarding } = about;
	return {
		apiVersion: "events.k8s.io/v1",
		kind: "Event",
		metadata: { name: `waymark.${key}`, namespace },
		eventTime: time,
		reportingController: "waymark.dev/audit",
		reportingInstance: instance.slice(0, 128),
		action: "Audit",
		reason,
		type: "Warning",
		note: note.length > mostNote ? `${note.slice(0, mostNote - 1)}…` : note,
		regarding: {
			...regarding,
			...(about.kind === "Namespace" ? { namespace: about.name } : {}),
			...(uid === undefined ? {} : { uid }),
		},
	} as Event & object;
}
