import { pinnedVersion } from "./binaries.ts";

/** What tests have to know of an istiod: wherever two of them differ, its source decides, and no number of a release. */
export interface IstiodFacts {
	/** The release of which it has the behaviour that Waymark knows; a chart that was never released says 1.0.0. */
	readonly version: string;
	/** Reads meshConfig.serviceEntryVisibility, and binds no hidden entry elsewhere (pilot/pkg/model/serviceentry_visibility.go). */
	readonly hidesEntries: boolean;
	/** Gives a canary waypoint its share (pilot/pkg/serviceregistry/ambient/waypoints.go: buildWeightedWaypoints). */
	readonly weighsCanaries: boolean;
}

/** The revisions that a `go.mod` of ours pins, by the commit at the end of their version. */
const facts: Readonly<Record<string, IstiodFacts>> = {
	// Branch release-1.31.
	eed52ebb66ad: { version: "1.31.0", hidesEntries: true, weighsCanaries: true },
	// After 1.30 branched, and before anything of 1.31 that Waymark knows: neither file has these functions.
	b01690e6db7d: { version: "1.30.0", hidesEntries: false, weighsCanaries: false },
};

/** What the istiod does that the control plane runs; throws for a revision that nobody has read. */
export async function istiodFacts(): Promise<IstiodFacts> {
	const version = await pinnedVersion("istio.io/istio");
	const found = facts[version.split("-").at(-1) ?? ""];
	if (found === undefined) {
		throw new Error(`Cannot tell what istiod ${version} does: test/e2e/istiods.ts does not name it`);
	}
	return found;
}
