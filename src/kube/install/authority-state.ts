import type { CertificatePair } from "../../certificates/inspect.ts";
import {
	authorityFault,
	certificatesIn,
	expiryTime,
	fingerprints,
	isIssuedBy,
	joinBundle,
	renewalTime,
} from "../../certificates/inspect.ts";

/**
 * The CAs of a cluster, as the Secret holds them. A rotation goes: `next` appears and is published; it becomes
 * `signing` and the old one `retired`; past `retiredUntil`, when the last leaf of a retired CA is over, those go.
 */
export interface AuthorityState {
	readonly signing: CertificatePair;
	readonly next: CertificatePair | null;
	/** PEM bundle of CAs that no longer sign; "" when there is none. */
	readonly retired: string;
	readonly retiredUntil: Date | null;
}

/** What was found in the Secret: a usable state, or why there is none, with whatever certificates can be saved. */
export interface FoundState {
	readonly state: AuthorityState | null;
	readonly faults: readonly string[];
	readonly salvaged: string;
	readonly salvagedNext: CertificatePair | null;
	readonly rotateRequested: boolean;
}

/** What decides about the next step. */
export interface Situation {
	/** The API server's clock: it is the one that verifies. */
	readonly now: Date;
	/** This machine's clock: what cannot be taken back waits until it is due by both. */
	readonly ownNow: Date;
	readonly found: FoundState;
	/** The last state this replica worked with. */
	readonly remembered: AuthorityState | null;
	/** The leaf that this replica serves. */
	readonly served: string | null;
	/** The CA bundles of all webhooks at this moment. */
	readonly live: readonly string[];
	/** Every webhook has had `next` for long enough that every API server knows it. */
	readonly nextIsPublished: boolean;
	/** How long a retired CA is kept, in milliseconds: a leaf's life and a margin for clocks. */
	readonly retentionMs: number;
	readonly createAuthority: () => Promise<CertificatePair>;
}

/** The next step of the CAs, and the state after it. */
export interface Step {
	readonly kind:
		| "none"
		| "created"
		| "restored"
		| "repaired"
		| "kept-old"
		| "rotating"
		| "switched"
		| "dropped-old";
	readonly state: AuthorityState;
}

// A bundle is sent with every webhook configuration; more retired CAs than this means that something spins.
const mostRetired = 6;

/** The certificates that webhook configurations must trust in a state. */
export function bundleOf(state: AuthorityState): string {
	return joinBundle([state.signing.cert, state.next?.cert ?? "", state.retired]);
}

/** Decides what is to be done with the CAs now; every replica may do it, the Secret's resourceVersion picks one. */
export async function nextStep(situation: Situation): Promise<Step> {
	const { found, now, ownNow, served } = situation;
	if (found.state === null) {
		return await recover(situation);
	}
	const { state } = found;
	if (found.faults.length > 0) {
		return { kind: "repaired", state: { ...state, ...retire(situation, state.retired) } };
	}
	// Somebody replaced the CA from one moment to the next: leaves that are served now must stay good for their life.
	const missing = untrusted(
		state,
		served === null ? joinBundle(situation.live) : issuerOf(served, situation),
	);
	if (missing !== "") {
		return {
			kind: "kept-old",
			state: { ...state, ...retire(situation, joinBundle([state.retired, missing])) },
		};
	}
	// A clock that is ahead makes CAs that begin in the future: nobody would trust their leaves before.
	const hasBegun = state.next !== null && beginsBefore(state.next, now) && beginsBefore(state.next, ownNow);
	if (state.next !== null && situation.nextIsPublished && hasBegun) {
		const retired = joinBundle([state.signing.cert, state.retired]);
		return { kind: "switched", state: { signing: state.next, next: null, ...retire(situation, retired) } };
	}
	if (state.next === null && (found.rotateRequested || renewalTime(state.signing.cert) <= now)) {
		return { kind: "rotating", state: { ...state, next: await situation.createAuthority() } };
	}
	if (state.retiredUntil !== null && state.retiredUntil <= now && state.retiredUntil <= ownNow) {
		return { kind: "dropped-old", state: { ...state, retired: "", retiredUntil: null } };
	}
	return { kind: "none", state };
}

function beginsBefore({ cert }: CertificatePair, now: Date): boolean {
	return certificatesIn(cert).every((certificate) => certificate.validFromDate <= now);
}

/** The Secret holds no usable CA: what this replica remembers is what the webhooks trust; only then a new one. */
async function recover(situation: Situation): Promise<Step> {
	const { remembered, found, now } = situation;
	// What the webhooks trust now stays trusted, whoever is to sign: other replicas serve leaves of it.
	const trusted = joinBundle([
		...situation.live,
		found.salvaged,
		remembered === null ? "" : bundleOf(remembered),
	]);
	const recovered = (kind: Step["kind"], signing: CertificatePair, next: CertificatePair | null): Step => ({
		kind,
		state: { signing, next, ...retire(situation, trusted, [signing.cert, next?.cert ?? ""]) },
	});
	if (remembered !== null && authorityFault(remembered.signing, now) === null) {
		return recovered("restored", remembered.signing, remembered.next);
	}
	return found.salvagedNext === null
		? recovered("created", await situation.createAuthority(), null)
		: recovered("repaired", found.salvagedNext, null);
}

/** The retired part of a state: CAs that are still valid, the newest first, each once, and when they go. */
function retire(
	{ now, retentionMs }: Situation,
	bundle: string,
	except: readonly string[] = [],
): Pick<AuthorityState, "retired" | "retiredUntil"> {
	const unwanted = new Set(fingerprints(except.join("\n")));
	const valid = certificatesIn(bundle)
		.filter((certificate) => certificate.ca && certificate.validToDate > now)
		.filter(({ fingerprint256 }) => !unwanted.has(fingerprint256))
		.toSorted((a, b) => b.validFromDate.getTime() - a.validFromDate.getTime())
		.slice(0, mostRetired);
	const retired = joinBundle(valid.map((certificate) => certificate.toString()));
	return { retired, retiredUntil: retired === "" ? null : new Date(now.getTime() + retentionMs) };
}

/** The valid CAs among these certificates that a state's bundle does not hold; "" when there is none. */
function untrusted(state: AuthorityState, certificates: string): string {
	const trusted = new Set(fingerprints(bundleOf(state)));
	return certificatesIn(certificates)
		.filter((certificate) => certificate.ca && !trusted.has(certificate.fingerprint256))
		.join("");
}

/** The CA of a leaf that is still valid, among those that this replica remembers or the webhooks trust, or "". */
function issuerOf(leaf: string, { now, remembered, live }: Situation): string {
	const end = expiryTime(leaf);
	if (end === null || end <= now) {
		return "";
	}
	const known = joinBundle([remembered === null ? "" : bundleOf(remembered), ...live]);
	return (
		certificatesIn(known)
			.map(String)
			.find((candidate) => isIssuedBy(leaf, candidate)) ?? ""
	);
}
