import type { Verdict } from "../core/evaluate.ts";
import type { Finding } from "../core/finding.ts";
import { formatPath, quote, unprintable } from "../core/finding.ts";
import { toJsonPatch } from "../core/patch.ts";
import { rulePage } from "../core/rule.ts";
import type { Settings } from "../core/settings.ts";
import type { Review } from "./review.ts";

/** The answer to a review (admission.k8s.io/v1 AdmissionResponse). */
export interface AdmissionResponse {
	readonly uid: string;
	readonly allowed: boolean;
	readonly status?: {
		readonly code: number;
		readonly reason: string;
		readonly message: string;
		readonly details: { readonly causes: readonly Cause[] };
	};
	readonly patch?: string;
	readonly patchType?: "JSONPatch";
	readonly warnings?: readonly string[];
	readonly auditAnnotations?: Readonly<Record<string, string>>;
}

interface Cause {
	readonly reason: string;
	readonly message: string;
	readonly field: string;
}

/** A review with its answer. */
export interface AnsweredReview {
	readonly apiVersion: string;
	readonly kind: "AdmissionReview";
	readonly response: AdmissionResponse;
}

/** How far the cluster was there to be asked when a verdict was reached. */
export interface Basis {
	/** Whether what the denials miss exists by now could not be asked. */
	readonly isUnconfirmed: boolean;
	/** Milliseconds since the API server was last heard of what the verdict rests on; undefined: it is being watched. */
	readonly staleMs: number | undefined;
}

/** Most findings that a denial spells out. */
const mostLines = 20;
/** Most findings that warnings spell out, in two lines each. */
const mostWarnings = 5;
/** What Kubernetes recommends for a warning (admission webhook good practices). */
const warningLength = 120;
/** Above 4,096 characters in all, the API server cuts each warning to so many (apiserver endpoints/filters/warning.go). */
const fixLength = 256;

/** The answer that lets a request pass unjudged. */
export function allowed(review: Review): AnsweredReview {
	return answer(review, { uid: review.uid, allowed: true });
}

/** The answer of `/mutate`: the fixes as one minimal JSON Patch; never a denial. */
export function mutated(review: Review, verdict: Verdict): AnsweredReview {
	const operations = toJsonPatch(review.subject?.object, verdict.fixes);
	if (operations.length === 0) {
		return allowed(review);
	}
	const fixed = new Set(verdict.findings.filter((each) => each.fix !== undefined).map((each) => each.rule));
	return answer(review, {
		uid: review.uid,
		allowed: true,
		patch: base64(JSON.stringify(operations)),
		patchType: "JSONPatch",
		auditAnnotations: { fixed: bounded([...fixed].join(",")) },
	});
}

/**
 * The answer of `/validate`: a denial where findings deny, warnings for the others; never a patch.
 * @param settings where the pages of the rules are
 */
export function validated(
	review: Review,
	verdict: Verdict,
	basis: Basis,
	settings: Pick<Settings, "links"> = { links: undefined },
): AnsweredReview {
	const age = basis.staleMs === undefined ? undefined : `${Math.round(basis.staleMs / 1000)} s`;
	const stale =
		age === undefined
			? []
			: [`Waymark judged by a cluster state ${age} old: the API server does not answer this replica`];
	const warnings = [...stale, ...formatWarnings(verdict.warnings, settings)];
	const annotations =
		verdict.policy === undefined
			? undefined
			: { ...auditAnnotations(verdict), ...(age === undefined ? {} : { stale: age }) };
	return answer(review, {
		uid: review.uid,
		allowed: verdict.decision === "allow",
		...(verdict.decision === "deny"
			? { status: denial(verdict.denials, basis.isUnconfirmed, settings) }
			: {}),
		...(warnings.length > 0 ? { warnings } : {}),
		...(annotations === undefined ? {} : { auditAnnotations: annotations }),
	});
}

/** The refusal of a request that cannot be judged: nothing is known of its namespace, and nobody can be asked. */
export function unjudged(review: Review): AnsweredReview {
	const why = `Waymark does not know the namespace ${quote(review.namespace)} yet, and the API server does not answer Waymark: try again`;
	return refusal(review, 503, "ServiceUnavailable", why);
}

/** The refusal of a request that is not as an API server writes it. */
export function faulty(review: Review, fault: string): AnsweredReview {
	return refusal(review, 403, "Forbidden", fault);
}

/** The refusal of a request without a verdict on it. */
function refusal(review: Review, code: number, reason: string, why: string): AnsweredReview {
	return answer(review, {
		uid: review.uid,
		allowed: false,
		status: { code, reason, message: oneLine(`Cannot judge the request: ${why}`), details: { causes: [] } },
		auditAnnotations: { decision: "unjudged" },
	});
}

function answer(review: Review, response: AdmissionResponse): AnsweredReview {
	return { apiVersion: review.apiVersion, kind: "AdmissionReview", response };
}

function denial(
	findings: readonly Finding[],
	unconfirmed: boolean,
	settings: Pick<Settings, "links">,
): NonNullable<AdmissionResponse["status"]> {
	const shown = findings.slice(0, mostLines);
	const lines = shown.map((each) => formatDenial(each, settings));
	if (findings.length > shown.length) {
		lines.push(`and ${findings.length - shown.length} more`);
	}
	if (unconfirmed) {
		lines.push("The API server could not be asked whether what is missing exists by now: try again");
	}
	return {
		code: 403,
		reason: "Forbidden",
		message: lines.join("\n"),
		details: {
			causes: shown.map((each) => ({
				reason: each.rule,
				message: oneLine(each.message),
				field: oneLine(formatPath(each.path)),
			})),
		},
	};
}

function formatDenial(finding: Finding, settings: Pick<Settings, "links">): string {
	const hint = finding.hint === undefined ? "" : `. ${finding.hint}`;
	return oneLine(
		`${finding.rule}: ${formatPath(finding.path)}: ${finding.message}${hint} (${rulePage(finding.rule, settings)})`,
	);
}

/** Two lines for each of the first findings, what is wrong and how to fix it; then how many more there are. */
function formatWarnings(findings: readonly Finding[], settings: Pick<Settings, "links">): readonly string[] {
	const shown = findings.slice(0, mostWarnings);
	const lines = shown.flatMap(({ rule, message, hint = "" }) => {
		const page = `(${rulePage(rule, settings)})`;
		const room = Math.max(0, fixLength - `fix:  ${page}`.length);
		return [
			cutAtWord(oneLine(`${rule}: ${message}`), warningLength),
			`fix: ${[cutAtWord(oneLine(hint), room), page].filter((each) => each !== "").join(" ")}`,
		];
	});
	return findings.length > shown.length ? [...lines, `and ${findings.length - shown.length} more`] : lines;
}

/** The beginning of a text, in whole words where that does not lose most of it. */
function cutAtWord(text: string, length: number): string {
	if (text.length <= length) {
		return text;
	}
	// The API server drops a warning that is no UTF-8, and half of a surrogate pair is none.
	const part = text.slice(0, Math.max(0, length - 1)).replace(/[\ud800-\udbff]$/, "");
	const space = text[part.length] === " " ? part.length : part.lastIndexOf(" ");
	return `${space > length / 2 ? withoutTail(part.slice(0, space)) : part}…`;
}

/** A text without the spaces and marks at its end; an expression would go back over it once for each of them. */
function withoutTail(text: string): string {
	let end = text.length;
	while (end > 0 && " ,;:".includes(text.charAt(end - 1))) {
		end -= 1;
	}
	return text.slice(0, end);
}

// The API server drops a warning with control characters in it (apimachinery pkg/util/net/http.go).
function oneLine(text: string): string {
	return text.replace(unprintable, " ");
}

function auditAnnotations(verdict: Verdict): Readonly<Record<string, string>> {
	const rules = new Set(verdict.findings.map((each) => each.rule));
	const exemptions = new Set(verdict.findings.flatMap((each) => each.exemption ?? []));
	return {
		decision: verdict.decision,
		mode: verdict.mode,
		policy: verdict.policy?.annotated === true ? "namespace" : "cluster",
		...(rules.size > 0 ? { rules: bounded([...rules].join(",")) } : {}),
		...(verdict.isRestored === true ? { restored: "true" } : {}),
		...(exemptions.size > 0 ? { exemptions: bounded([...exemptions].join(",")) } : {}),
	};
}

function bounded(text: string): string {
	return text.length > 1024 ? `${text.slice(0, 1023)}…` : text;
}

const isAscii = /^[\0-\x7f]*$/;

function base64(text: string): string {
	if (isAscii.test(text)) {
		return btoa(text);
	}
	let binary = "";
	for (const byte of new TextEncoder().encode(text)) {
		binary += String.fromCharCode(byte);
	}
	return btoa(binary);
}
