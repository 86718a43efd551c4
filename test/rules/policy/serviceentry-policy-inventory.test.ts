import type { ServiceEntry } from "../../../src/core/kinds.ts";
import { exampleService } from "../../../src/rules/examples.ts";
import { serviceentryPolicyInventory as rule } from "../../../src/rules/policy/serviceentry-policy-inventory.ts";
import type { Circumstances } from "../../support/team.ts";
import { beside, entry, inTeam, team } from "../../support/team.ts";
import { testRule } from "../../support/test-rule.ts";

function requiring(...require: readonly string[]): Circumstances {
	return { given: [team()], settings: { inventory: { require } } };
}

function saying(
	annotations: Readonly<Record<string, string>>,
	spec: ServiceEntry["spec"] = {},
): ServiceEntry {
	const plain = entry(spec);
	const named = Object.entries(annotations).map(([name, value]) => [`egress.waymark.dev/${name}`, value]);
	return { ...plain, metadata: { ...plain.metadata, annotations: Object.fromEntries(named) } };
}

const at = (name: string, severity = "error"): string =>
	`${severity} metadata.annotations["egress.waymark.dev/${name}"]`;

const review = requiring("review-by");
const all = requiring("review-by", "reason", "owner", "ticket");
const wanted = ["owner", "ticket", "reason", "review-by"].map((name) => at(name));

testRule(rule, {
	"asks for nothing where nothing is required": [
		{ object: saying({}), given: [team()], finds: [] },
		{ object: saying({}), ...inTeam(requiring()), finds: [] },
	],
	"names each required annotation that is missing or empty, in a fixed order": [
		{ object: saying({}), ...inTeam(all), finds: wanted },
		{
			object: saying({ owner: "  ", ticket: "EG-1" }),
			...inTeam(all),
			finds: wanted.toSpliced(1, 1),
		},
		{
			object: saying({}),
			...inTeam(requiring("owner")),
			finds: ['error metadata.annotations["egress.waymark.dev/owner"]'],
			says: /owner is missing, and the cluster requires it/,
		},
		{
			object: saying({ owner: "a", ticket: "b", reason: "c", "review-by": "2199-01-31" }),
			...inTeam(all),
			finds: [],
		},
	],
	"refuses a review date that is no day, and warns of one that has passed": [
		{ object: saying({ "review-by": "2199-02-30" }), ...inTeam(review), finds: [at("review-by")] },
		{ object: saying({ "review-by": "soon" }), ...inTeam(review), finds: [at("review-by")] },
		{
			object: saying({ "review-by": "2020-01-31" }),
			...inTeam(review),
			finds: [at("review-by", "warning")],
			says: /was due by 2020-01-31$/,
		},
	],
	"leaves entries for the cluster's own names alone": {
		object: saying({}, { location: "MESH_INTERNAL", hosts: ["db.shop.svc.cluster.local"] }),
		...inTeam(beside(requiring("owner"), exampleService("db", "shop", "10.96.0.9"))),
		finds: [],
	},
});
