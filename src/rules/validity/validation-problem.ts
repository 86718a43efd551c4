import type { Problem } from "../../core/finding.ts";

/** A problem of an object that istiod or the CRD refuses or warns of, with what a person needs to fix it. */
export interface ValidationProblem extends Problem {
	/** istiod's own words; undefined when only the CRD's schema objects. */
	readonly istiodMessage?: string;
}
