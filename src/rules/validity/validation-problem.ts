import type { Problem } from "../../core/finding.ts";

/** What istiod or the CRD says about an object, with what a person needs to mend it. */
export interface Complaint extends Problem {
	/** istiod's own words; undefined when only the CRD's schema objects. */
	readonly said?: string;
}
