import type { Logger } from "pino";
import { issueCertificate } from "../../certificates/authority.ts";
import { expiryTime, isIssuedBy, renewalTime } from "../../certificates/inspect.ts";
import type { HeldCertificate } from "../../certificates/source.ts";
import { holdCertificate } from "../../certificates/source.ts";
import type { AuthorityState } from "./authority-state.ts";
import { bundleOf } from "./authority-state.ts";

/** The leaf that a replica makes for itself and keeps in memory. */
export interface OwnLeaf {
	/** What is served, or `null` before the first `keep()`. */
	held(): HeldCertificate | null;
	/** Issues a new leaf when the present one is missing, due, over, or of a CA that has been replaced. */
	keep(state: AuthorityState, isPublished: (cert: string) => boolean): Promise<void>;
	isDue(): boolean;
}

/** Makes the keeper of a leaf for these names, which issues none yet. */
export function createOwnLeaf(
	names: readonly string[],
	lifetimeMs: number,
	now: () => Date,
	log: Pick<Logger, "info">,
): OwnLeaf {
	let held: HeldCertificate | null = null;
	const isDue = (): boolean => held !== null && renewalTime(held.current().cert) <= now();
	const needsNew = (state: AuthorityState, isPublished: (cert: string) => boolean): boolean => {
		if (held === null) {
			return true;
		}
		const { cert } = held.current();
		const isOver = (expiryTime(cert) ?? new Date(0)) <= now();
		// A leaf of a CA that is not trusted everywhere yet is no improvement, unless the present one is over.
		return isOver || (isIssuedBy(cert, state.signing.cert) ? isDue() : isPublished(state.signing.cert));
	};
	return {
		held: () => held,
		isDue,
		async keep(state, isPublished) {
			if (!needsNew(state, isPublished)) {
				return;
			}
			const pair = await issueCertificate(state.signing, { names, now: now(), lifetimeMs });
			const next = { ...pair, ca: bundleOf(state) };
			if (held === null) {
				held = holdCertificate(next);
			} else {
				held.set(next);
			}
			log.info({ expires: expiryTime(pair.cert)?.toISOString() }, "issued a serving certificate");
		},
	};
}
