import assert from "node:assert/strict";
import { it } from "node:test";
import type { PlacedRule, RuleReader } from "../../src/migrate/rule-lookup.ts";
import { isRuleFor, rulesInForce } from "../../src/migrate/rule-lookup.ts";

function rule(namespace: string, host: string, more: object = {}): PlacedRule {
	return { namespace, object: { spec: { host, ...more } } };
}

const reader: RuleReader = {
	proxy: "edge",
	service: ["shop"],
	root: "istio-system",
	selects: ({ app }) => app === "edge",
};
const host = "api.one.example";

it("rulesInForce takes the first of the proxy's, the service's and the root namespace that has a rule", () => {
	const [edge, shop, root] = ["edge", "shop", "istio-system"].map((each) => rule(each, host));
	const elsewhere = rule("elsewhere", host);
	const all = [elsewhere, root, shop, edge].flatMap((each) => each ?? []);
	assert.deepEqual(rulesInForce(host, all, reader), [edge]);
	assert.deepEqual(rulesInForce(host, all.slice(0, 3), reader), [shop]);
	assert.deepEqual(rulesInForce(host, all.slice(0, 2), reader), [root]);
	assert.deepEqual(rulesInForce(host, [elsewhere], reader), []);
});

it("rulesInForce asks the service's namespace before the root namespace, where the proxy is, but for private rules", () => {
	const inRoot = { ...reader, proxy: "istio-system" };
	const [shop, root] = [rule("shop", host), rule("istio-system", host)];
	const own = rule("istio-system", host, { exportTo: ["."] });
	assert.deepEqual(rulesInForce(host, [root, shop], inRoot), [shop]);
	assert.deepEqual(rulesInForce(host, [root, shop, own], inRoot), [own]);
});

it("rulesInForce takes the most specific host of a namespace, and a wildcard there before a host elsewhere", () => {
	const [any, domain, exact] = [rule("edge", "*"), rule("edge", "*.one.example"), rule("shop", host)];
	assert.deepEqual(rulesInForce(host, [any, domain, exact], reader), [domain]);
	assert.deepEqual(rulesInForce(host, [any, exact], reader), [any]);
	assert.deepEqual(rulesInForce("*.one.example", [any, domain, exact], reader), [domain]);
});

it("rulesInForce passes over rules that are not exported to the proxy, and those for other pods", () => {
	const hidden = rule("shop", host, { exportTo: ["."] });
	const shown = rule("shop", host, { exportTo: ["edge"] });
	assert.deepEqual(rulesInForce(host, [hidden], reader), []);
	assert.deepEqual(rulesInForce(host, [hidden, shown], reader), [shown]);
	const others = rule("edge", host, { workloadSelector: { matchLabels: { app: "x" } } });
	const own = rule("edge", host, { workloadSelector: { matchLabels: { app: "edge" } } });
	const every = rule("edge", host);
	assert.deepEqual(rulesInForce(host, [others, every], reader), [every]);
	assert.deepEqual(rulesInForce(host, [others, every, own], reader), [own]);
});

it("isRuleFor compares names as istiod does", () => {
	assert.ok(isRuleFor(host, rule("a", "*.EXAMPLE")));
	assert.ok(isRuleFor("*.one.example", rule("a", "*.example")));
	assert.ok(!isRuleFor("one.example", rule("a", "*.one.example")));
	assert.ok(!isRuleFor("*.one.example", rule("a", host)));
});
