import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuthorizationPolicy } from "../../src/core/kinds.ts";
import type { Crossing } from "../../src/reach/authorization.ts";
import { indexPolicies, rule } from "../../src/reach/authorization.ts";
import { hasBit } from "../../src/reach/bits.ts";
import { listClients } from "../../src/reach/sources.ts";
import { namespace, policy, worldWith } from "./worlds.ts";

type Spec = NonNullable<AuthorizationPolicy["spec"]>;

const tls: Crossing = {
	waypoint: "istio-egress/egress",
	entry: { namespace: "bank", name: "files" },
	port: 443,
	http: false,
	addresses: ["240.240.0.1", "2001:2::1"],
};
const http: Crossing = { ...tls, port: 80, http: true };
const sniffed: Crossing = { ...tls, port: 8080, http: "sniffed" };

/** What policies make of the pods of shop: open, refused, partly or undecided. */
function ruling(
	crossing: Crossing,
	policies: readonly AuthorizationPolicy[],
	serviceAccount?: string,
	trustDomains?: readonly string[],
): string {
	const clients = listClients([{ namespace: "shop", serviceAccount }], trustDomains);
	const attached = indexPolicies(worldWith([namespace("shop"), ...policies])).attachedTo(crossing);
	const { refused, partly, unknown } = rule(attached, crossing, clients);
	return hasBit(refused, 0)
		? "refused"
		: hasBit(partly, 0)
			? "partly"
			: hasBit(unknown, 0)
				? "undecided"
				: "open";
}

const on = (spec: Spec): AuthorizationPolicy => policy("bank/p", "files", spec);
const deny = (source: object): AuthorizationPolicy => on({ action: "DENY", rules: [{ from: [{ source }] }] });
const allow = (source: object): AuthorizationPolicy => on({ rules: [{ from: [{ source }] }] });

/** One question: what it is about, the port, the policies, the answer, and the service account that asks. */
type Case = readonly [string, Crossing, readonly AuthorizationPolicy[], string, string?];

const cases: readonly Case[] = [
	["no policy", tls, [], "open"],
	["a DENY of the namespace", tls, [deny({ namespaces: ["shop"] })], "refused"],
	["a DENY of another namespace", tls, [deny({ namespaces: ["sho", "shopping"] })], "open"],
	["a prefix", tls, [deny({ namespaces: ["sh*"] })], "refused"],
	["a suffix", tls, [deny({ namespaces: ["*op"] })], "refused"],
	["a * in the middle, which istiod takes as well", tls, [deny({ namespaces: ["s*p"] })], "refused"],
	["every namespace", tls, [deny({ namespaces: ["*"] })], "refused"],
	["all but some, of which it is one", tls, [deny({ notNamespaces: ["shop"] })], "open"],
	["all but some, of which it is none", tls, [deny({ notNamespaces: ["bank"] })], "refused"],
	["an ALLOW of the namespace", tls, [allow({ namespaces: ["shop"] })], "open"],
	["an ALLOW of another", tls, [allow({ namespaces: ["bank"] })], "refused"],
	["an ALLOW without rules, which nobody passes", tls, [on({})], "refused"],
	["a DENY without rules, which denies nobody", tls, [on({ action: "DENY" })], "open"],
	["an ALLOW of everybody", tls, [on({ rules: [{}] })], "open"],
	[
		"two ALLOW policies, of which one lets it in",
		tls,
		[allow({ namespaces: ["bank"] }), policy("bank/q", "files", { rules: [{}] })],
		"open",
	],
	[
		"a DENY before an ALLOW",
		tls,
		[deny({ namespaces: ["shop"] }), policy("bank/q", "files", { rules: [{}] })],
		"refused",
	],
	["an AUDIT", tls, [on({ action: "AUDIT", rules: [{}] })], "open"],
	["a CUSTOM one", tls, [on({ action: "CUSTOM", provider: { name: "opa" }, rules: [{}] })], "undecided"],
	[
		"a policy on trial",
		tls,
		[{ ...on({}), metadata: { namespace: "bank", name: "p", annotations: { "istio.io/dry-run": "true" } } }],
		"open",
	],
	["a DENY of one service account", tls, [deny({ principals: ["cluster.local/ns/shop/sa/web"] })], "partly"],
	["that service account", tls, [deny({ principals: ["cluster.local/ns/shop/sa/web"] })], "refused", "web"],
	["another service account", tls, [deny({ principals: ["cluster.local/ns/shop/sa/web"] })], "open", "job"],
	["principals of the namespace", tls, [deny({ principals: ["cluster.local/ns/shop/*"] })], "refused"],
	["a principal by its end", tls, [deny({ principals: ["*/ns/shop/sa/web"] })], "refused", "web"],
	["a principal of any namespace by its end", tls, [deny({ principals: ["*/sa/web"] })], "partly"],
	["a principal of another namespace", tls, [deny({ principals: ["*/ns/bank/sa/web"] })], "open"],
	["a principal of another trust domain", tls, [deny({ principals: ["td/ns/shop/sa/web"] })], "partly"],
	[
		"all but one service account",
		tls,
		[deny({ namespaces: ["shop"], notPrincipals: ["*/ns/shop/sa/web"] })],
		"refused",
		"job",
	],
	["that one", tls, [deny({ namespaces: ["shop"], notPrincipals: ["*/ns/shop/sa/web"] })], "open", "web"],
	["serviceAccounts of a namespace", tls, [deny({ serviceAccounts: ["shop/web"] })], "refused", "web"],
	["serviceAccounts of the policy's namespace", tls, [deny({ serviceAccounts: ["web"] })], "open", "web"],
	["addresses, which nobody knows", tls, [deny({ ipBlocks: ["10.0.0.0/8"] })], "partly"],
	[
		"another port",
		tls,
		[on({ action: "DENY", rules: [{ to: [{ operation: { ports: ["80"] } }] }] })],
		"open",
	],
	[
		"the port",
		tls,
		[on({ action: "DENY", rules: [{ to: [{ operation: { ports: ["443"] } }] }] })],
		"refused",
	],
	[
		"the host's own addresses",
		tls,
		[
			on({
				action: "DENY",
				rules: [{ when: [{ key: "destination.ip", values: ["240.240.0.1", "2001:2::1"] }] }],
			}),
		],
		"refused",
	],
	[
		"another host's addresses",
		tls,
		[on({ action: "DENY", rules: [{ when: [{ key: "destination.ip", values: ["240.240.0.2"] }] }] })],
		"open",
	],
	[
		"one of its two addresses",
		tls,
		[on({ action: "DENY", rules: [{ when: [{ key: "destination.ip", values: ["240.240.0.1"] }] }] })],
		"partly",
	],
	[
		"a condition on the namespace",
		tls,
		[on({ action: "DENY", rules: [{ when: [{ key: "source.namespace", notValues: ["bank"] }] }] })],
		"refused",
	],
	[
		"paths in a DENY of a TCP port, where istiod leaves them out",
		tls,
		[on({ action: "DENY", rules: [{ to: [{ operation: { paths: ["/admin"] } }] }] })],
		"refused",
	],
	[
		"paths in an ALLOW of a TCP port, where istiod leaves the rule out",
		tls,
		[on({ rules: [{ to: [{ operation: { paths: ["/"] } }] }] })],
		"refused",
	],
	[
		"paths in a DENY of an HTTP port",
		http,
		[on({ action: "DENY", rules: [{ to: [{ operation: { paths: ["/admin"] } }] }] })],
		"partly",
	],
	[
		"paths in a DENY of a port without a protocol",
		sniffed,
		[on({ action: "DENY", rules: [{ to: [{ operation: { paths: ["/admin"] } }] }] })],
		"partly",
	],
	["a namespace on a port without a protocol", sniffed, [deny({ namespaces: ["shop"] })], "refused"],
	[
		"a header in an ALLOW of a TCP port",
		tls,
		[on({ rules: [{ when: [{ key: "request.headers[x]", values: ["y"] }] }] })],
		"refused",
	],
	[
		"a selector, which no waypoint reads",
		tls,
		[on({ action: "DENY", selector: { matchLabels: { app: "x" } }, rules: [{}] })],
		"open",
	],
	[
		"the entry of that name in another namespace",
		tls,
		[policy("shop/p", "files", { action: "DENY", rules: [{}] })],
		"open",
	],
	[
		"the Gateway, in its namespace",
		tls,
		[
			policy("istio-egress/p", "", {
				action: "DENY",
				targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "egress" }],
				rules: [{}],
			}),
		],
		"refused",
	],
	[
		"the Gateway, from another namespace",
		tls,
		[
			policy("bank/p", "", {
				action: "DENY",
				targetRefs: [
					{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "egress", namespace: "istio-egress" },
				],
				rules: [{}],
			}),
		],
		"open",
	],
	[
		"the GatewayClass, in the root namespace",
		tls,
		[
			policy("istio-system/p", "", {
				action: "DENY",
				targetRefs: [{ group: "gateway.networking.k8s.io", kind: "GatewayClass", name: "istio-waypoint" }],
				rules: [{}],
			}),
		],
		"refused",
	],
	[
		"the GatewayClass, elsewhere",
		tls,
		[
			policy("istio-egress/p", "", {
				action: "DENY",
				targetRefs: [{ group: "gateway.networking.k8s.io", kind: "GatewayClass", name: "istio-waypoint" }],
				rules: [{}],
			}),
		],
		"open",
	],
];

describe("rule", () => {
	for (const [about, crossing, policies, expected, account] of cases) {
		it(`rule() answers ${expected} for ${about}`, () => {
			assert.equal(ruling(crossing, policies, account), expected);
		});
	}
});

describe("a mesh whose trust domain is known", () => {
	const domains = ["mesh.example", "old.example"];
	const known: readonly (readonly [string, string])[] = [
		["mesh.example/ns/shop/sa/web", "refused"],
		["cluster.local/ns/shop/sa/web", "refused"],
		["old.example/ns/shop/sa/web", "refused"],
		["*/ns/shop/sa/web", "refused"],
		["mesh.example/ns/shop/*", "refused"],
		["mesh.example/*", "refused"],
		// What is not whole is compared as it is, and no identity of the mesh begins so.
		["cluster.local/ns/shop/*", "open"],
		["td/ns/shop/sa/web", "open"],
		["mesh.example/ns/shop/sa/job", "open"],
	];
	for (const [principal, answer] of known) {
		it(`rule() reads principal ${principal} as istiod does: ${answer}`, () => {
			assert.equal(ruling(tls, [deny({ principals: [principal] })], "web", domains), answer);
		});
	}

	it("rule() takes what is generated for service accounts the same in every trust domain", () => {
		const generated = deny({ namespaces: ["shop"], notPrincipals: ["*/ns/shop/sa/web"] });
		for (const trust of [undefined, ["cluster.local"], domains]) {
			assert.equal(ruling(tls, [generated], "web", trust), "open");
			assert.equal(ruling(tls, [generated], "job", trust), "refused");
		}
	});
});
