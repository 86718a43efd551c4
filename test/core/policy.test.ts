import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { annotationPrefix, readEntryAnnotations } from "../../src/core/annotations.ts";
import type { Namespace } from "../../src/core/kinds.ts";
import type { Policy } from "../../src/core/policy.ts";
import { isAmbientNamespace, parsePolicy } from "../../src/core/policy.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { parseSettings } from "../../src/core/settings.ts";

type Map = Readonly<Record<string, string>>;

function policyOf(annotations: Map, file: SettingsFile = {}, labels: Map = {}): Policy {
	const prefixed = Object.entries(annotations).map(([name, value]) => [annotationPrefix + name, value]);
	const namespace: Namespace = {
		metadata: { name: "shop", labels, annotations: Object.fromEntries(prefixed) },
	};
	return parsePolicy("shop", namespace, parseSettings(file).settings);
}

function texts(lists: readonly { readonly patterns: readonly { readonly text: string }[] }[]): unknown {
	return lists.map((list) => list.patterns.map((each) => each.text));
}

/** The one problem of a policy, as "annotation: message | hint". */
function problem(annotations: Map): string {
	const { problems } = policyOf(annotations);
	assert.equal(problems.length, 1, JSON.stringify(problems));
	return `${problems[0]?.annotation}: ${problems[0]?.message} | ${problems[0]?.hint}`;
}

describe("parsePolicy()", () => {
	it("parsePolicy() of a silent namespace, an unknown one and one of nulls is the cluster's", () => {
		const { settings } = parseSettings({ defaults: { mode: "warn", waypoint: "egress/shared" } });
		const unknown = parsePolicy("shop", undefined, settings);
		assert.equal(unknown.mode, "warn");
		assert.equal(unknown.isKnown, false);
		assert.deepEqual(unknown.waypoint, { namespace: "egress", name: "shared" });
		for (const metadata of [null, {}, { labels: null, annotations: null }]) {
			assert.deepEqual(parsePolicy("shop", { metadata }, settings), { ...unknown, isKnown: true });
		}
	});

	it("parsePolicy() reads each annotation over the cluster's defaults", () => {
		const defaults = { mode: "warn", ambient: "enforced", waypoint: "egress/shared" };
		const policy = policyOf({ mode: " audit ", ambient: "permitted", waypoint: "own" }, { defaults });
		assert.deepEqual(
			[policy.mode, policy.ambient, policy.waypoint, policy.waypointSource, policy.annotated],
			["audit", "permitted", { namespace: "shop", name: "own" }, "annotation", true],
		);
	});

	it("parsePolicy() falls back on the cluster's word for what cannot be read, and keeps the rest", () => {
		const defaults = { mode: "warn", ambient: "enforced", waypoint: "egress/shared" };
		const limits = { allowedHosts: ["*.example.com"], allowedPorts: [443] };
		const policy = policyOf(
			{ mode: "x", ambient: "x", waypoint: "x/y/z", "allowed-hosts": "a b://c", "allowed-ports": "80" },
			{ defaults, limits },
		);
		assert.deepEqual(
			[policy.mode, policy.ambient, policy.waypointSource],
			["warn", "enforced", "cluster default"],
		);
		assert.deepEqual(texts(policy.allowedHosts), [["*.example.com"]]);
		assert.deepEqual(
			policy.allowedPorts.map((each) => each.by),
			["cluster", "namespace"],
		);
		assert.deepEqual(
			policy.problems.map((each) => each.annotation),
			["mode", "ambient", "waypoint", "allowed-hosts"],
		);
	});

	for (const separated of [
		"a.com,b.com",
		"a.com b.com",
		"a.com,\n\tb.com",
		" ,a.com,, b.com, ",
		"a.com\u00A0b.com",
	]) {
		it(`parsePolicy() separates a list by commas and white space: ${JSON.stringify(separated)}`, () => {
			assert.deepEqual(texts(policyOf({ "allowed-hosts": separated }).allowedHosts), [["a.com", "b.com"]]);
		});
	}

	it("parsePolicy() takes an empty list for none: it allows what the cluster allows", () => {
		for (const empty of ["", " ", " , "]) {
			const lists = {
				"allowed-hosts": empty,
				"denied-hosts": empty,
				"allowed-ports": empty,
				"allowed-protocols": empty,
			};
			const policy = policyOf(lists);
			assert.deepEqual(
				[
					policy.allowedHosts,
					policy.deniedHosts,
					policy.allowedPorts,
					policy.allowedProtocols,
					policy.problems,
				],
				[[], [], [], [], []],
			);
		}
	});

	it("parsePolicy() fills in the namespace's name, in annotations and in the cluster's lists", () => {
		const limits = { allowedHosts: ["*.${namespace}.example.com"], deniedHosts: ["x.example.com"] };
		const policy = policyOf({ "allowed-hosts": "${namespace}.${namespace}.example.com" }, { limits });
		assert.deepEqual(texts(policy.allowedHosts), [["*.shop.example.com"], ["shop.shop.example.com"]]);
		assert.deepEqual(texts(policy.deniedHosts), [["x.example.com"]]);
	});

	it("parsePolicy() reads punycode, protocols of any case, ranges", () => {
		const policy = policyOf({
			"allowed-hosts": "*.BÜCHER.example.",
			"allowed-protocols": "tls grpc-web",
			"allowed-ports": "443/tls 8000-8099",
		});
		assert.deepEqual(texts(policy.allowedHosts), [["*.xn--bcher-kva.example"]]);
		assert.deepEqual([...(policy.allowedProtocols[0]?.protocols ?? [])], ["TLS", "GRPC-WEB"]);
		assert.deepEqual(
			policy.allowedPorts[0]?.ranges.map(({ from, to, protocol }) => [from, to, protocol]),
			[
				[443, 443, "TLS"],
				[8000, 8099, undefined],
			],
		);
	});

	it("parsePolicy() names the first bad item of a list, where it stands, and the accepted form", () => {
		assert.equal(
			problem({ "allowed-hosts": "a.com,  https://b.com c//d" }),
			'allowed-hosts: item 2 at character 9, "https://b.com", cannot be read | Each item must be a host or *.suffix, such as api.example.com, *.example.com, ${namespace}.example.com; separate items by commas or white space',
		);
		assert.match(problem({ "allowed-ports": "70000" }), /item 1 at character 1, "70000".*443\/TLS/);
		assert.match(problem({ "allowed-protocols": "TLS QUIC" }), /item 2 at character 5, "QUIC"/);
		assert.match(problem({ "denied-hosts": "${name}.com" }), /item 1 at character 1/);
	});

	it("parsePolicy() reads the ServiceAccounts that may leave; an empty list means all", () => {
		const accounts = (text: string): unknown =>
			policyOf({ "allowed-service-accounts": text }).allowedServiceAccounts;
		assert.deepEqual(accounts("checkout, batch.worker"), ["checkout", "batch.worker"]);
		assert.deepEqual([accounts(" , "), policyOf({}).allowedServiceAccounts], [undefined, undefined]);
		assert.match(problem({ "allowed-service-accounts": "a Checkout" }), /item 2 at character 3, "Checkout"/);
	});

	it("parsePolicy() names the words that mode and ambient accept", () => {
		assert.equal(
			problem({ mode: "Enforce" }),
			'mode: must not be "Enforce" | Write one of enforce, warn, audit, off',
		);
		assert.equal(problem({ ambient: "" }), 'ambient: must not be "" | Write one of enforced, permitted');
		assert.match(
			problem({ waypoint: "a b" }),
			/^waypoint: must not be "a b" \| Write NAME, NAMESPACE\/NAME or none/,
		);
	});

	it("parsePolicy() shows a long or unprintable value shortened and in one line", () => {
		const shown = problem({ mode: `x\n\u202E${"y".repeat(500)}` });
		assert.ok(shown.length < 200, shown);
		assert.doesNotMatch(shown, /[\n\u202E]/);
	});

	it("parsePolicy() refuses a list of more than 4,096 items", () => {
		assert.deepEqual(policyOf({ "allowed-ports": "443 ".repeat(4096) }).problems, []);
		assert.match(problem({ "allowed-ports": "443 ".repeat(4097) }), /more than 4096 items/);
	});

	it("parsePolicy() reports an annotation with our prefix that it does not know", () => {
		assert.match(
			problem({ "allowed-host": "a.com" }),
			/^allowed-host: is not an annotation that Waymark knows/,
		);
		assert.equal(policyOf({}).problems.length, 0);
		const others = { metadata: { annotations: { "waymark.dev/mode": "x", "egress.waymark.dev": "x" } } };
		assert.deepEqual(parsePolicy("shop", others, parseSettings({}).settings).problems, []);
		assert.equal(parsePolicy("shop", others, parseSettings({}).settings).annotated, false);
	});

	it("parsePolicy() never throws and never widens the cluster's limits, whatever is annotated", () => {
		const names = [
			"mode",
			"ambient",
			"waypoint",
			"allowed-hosts",
			"denied-hosts",
			"allowed-ports",
			"exempt.x",
		];
		const value = fc.oneof(
			fc.string(),
			fc.constantFrom("*", "none", "443", "a.com", "${namespace}", "until=2026-01-01 reason=x"),
		);
		const limits = { allowedHosts: ["*.example.com"], deniedHosts: ["x.example.com"], allowedPorts: [443] };
		const cluster = policyOf({}, { limits });
		fc.assert(
			fc.property(fc.dictionary(fc.constantFrom(...names), value), (annotations) => {
				const policy = policyOf(annotations, { limits });
				assert.deepEqual(policy.allowedHosts[0], cluster.allowedHosts[0]);
				assert.deepEqual(policy.deniedHosts[0], cluster.deniedHosts[0]);
				assert.deepEqual(policy.allowedPorts[0], cluster.allowedPorts[0]);
			}),
		);
	});
});

describe("parsePolicy() and the waypoint", () => {
	const label = { "istio.io/use-waypoint": "local" };
	const both = { ...label, "istio.io/use-waypoint-namespace": "elsewhere" };
	const defaults = { waypoint: "egress/shared" };

	for (const [what, annotations, file, labels, waypoint, source] of [
		[
			"the annotation first",
			{ waypoint: "a/b" },
			{ defaults },
			both,
			{ namespace: "a", name: "b" },
			"annotation",
		],
		["none of the annotation", { waypoint: "none" }, { defaults }, both, "none", "annotation"],
		[
			"the cluster's default second",
			{},
			{ defaults },
			both,
			{ namespace: "egress", name: "shared" },
			"cluster default",
		],
		["none of the cluster", {}, { defaults: { waypoint: "none" } }, both, "none", "cluster default"],
		[
			"the namespace's pair of labels third",
			{},
			{},
			both,
			{ namespace: "elsewhere", name: "local" },
			"namespace label",
		],
		[
			"one label for a waypoint at home",
			{},
			{},
			label,
			{ namespace: "shop", name: "local" },
			"namespace label",
		],
		["nothing of a label none", {}, {}, { "istio.io/use-waypoint": "none" }, undefined, "nowhere"],
		["nothing of an empty label", {}, {}, { "istio.io/use-waypoint": "" }, undefined, "nowhere"],
		[
			"nothing of the namespace alone",
			{},
			{},
			{ "istio.io/use-waypoint-namespace": "x" },
			undefined,
			"nowhere",
		],
		["nothing of nothing", {}, {}, {}, undefined, "nowhere"],
	] as const) {
		it(`parsePolicy() takes ${what}`, () => {
			const policy = policyOf(annotations, file, labels);
			assert.deepEqual(policy.waypoint, waypoint);
			assert.equal(policy.waypointSource, source);
		});
	}
});

describe("parsePolicy() and ambient", () => {
	const ambient = { "istio.io/dataplane-mode": "ambient" };
	for (const [what, labels, expected] of [
		["the label dataplane-mode", ambient, true],
		["an empty revision", { ...ambient, "istio.io/rev": "" }, true],
		["a revision", { ...ambient, "istio.io/rev": "canary" }, false],
		["injection", { ...ambient, "istio-injection": "enabled" }, false],
		["injection disabled", { ...ambient, "istio-injection": "disabled" }, true],
		["dataplane-mode none", { "istio.io/dataplane-mode": "none" }, false],
		["another case", { "istio.io/dataplane-mode": "Ambient" }, false],
		["no labels", {}, false],
	] as const) {
		it(`isAmbientNamespace() of ${what} is ${expected}, and so is the policy's stance`, () => {
			assert.equal(isAmbientNamespace(labels), expected);
			assert.equal(policyOf({}, {}, labels).ambient, expected ? "enforced" : "permitted");
		});
	}

	it("parsePolicy() takes the annotation before the cluster's default, and that before the labels", () => {
		const defaults = { ambient: "permitted" };
		assert.equal(policyOf({}, { defaults }, ambient).ambient, "permitted");
		assert.equal(policyOf({ ambient: "enforced" }, { defaults }).ambient, "enforced");
	});
});

describe("readEntryAnnotations()", () => {
	const read = (annotations: Map): unknown =>
		readEntryAnnotations(
			Object.fromEntries(
				Object.entries(annotations).map(([name, value]) => [annotationPrefix + name, value]),
			),
			"shop",
		);

	it("readEntryAnnotations() reads what an inventory says of a way out", () => {
		const said = { owner: "blue", ticket: "SEC-1", reason: "pays", "review-by": "2028-02-29" };
		assert.deepEqual(read({ ...said, owner: " blue " }), { values: said, problems: [] });
	});

	it("readEntryAnnotations() names what cannot be read and what nobody knows", () => {
		assert.deepEqual(read({ owner: " ", "review-by": "2026-02-30", mode: "off" }), {
			values: {},
			problems: [
				{ annotation: "owner", message: "must not be empty", hint: "Write a text" },
				{
					annotation: "review-by",
					message: "names a day that does not exist, 2026-02-30",
					hint: "Write a day as YYYY-MM-DD",
				},
				{
					annotation: "mode",
					message: "is not an annotation that Waymark knows, so it would have no effect",
					hint: "Use one of owner, ticket, reason, review-by or confirm",
				},
			],
		});
	});
});

describe("parsePolicy() and exemptions", () => {
	it("parsePolicy() reads a date and a reason of any words", () => {
		const policy = policyOf({
			"exempt.serviceentry-policy-host": " until=2028-02-29  reason=SEC-1: moves, a=b ",
		});
		assert.deepEqual(
			[...policy.exemptions],
			[["serviceentry-policy-host", { until: "2028-02-29", reason: "SEC-1: moves, a=b" }]],
		);
	});

	it("parsePolicy() reads who asked for an exemption and where, in any order after the date", () => {
		const exemption = { until: "2028-02-29", reason: "SEC-1: a=b", owner: "Team Blue", ticket: "SEC-1" };
		for (const text of [
			"until=2028-02-29 reason=SEC-1: a=b owner=Team Blue ticket=SEC-1",
			"until=2028-02-29\nticket=SEC-1\towner=Team Blue reason=SEC-1: a=b",
		]) {
			assert.deepEqual(policyOf({ "exempt.a": text }).exemptions.get("a"), exemption);
		}
	});

	it("parsePolicy() reads the longest exemption that a Namespace can hold in milliseconds", () => {
		const text = `until=2026-12-31 reason=x${" ".repeat(256 * 1024)}y\u0000`;
		const start = performance.now();
		policyOf({ "exempt.a": text, "exempt.b": `${" ".repeat(256 * 1024)}x` });
		assert.ok(performance.now() - start < 500);
	});

	for (const text of [
		"",
		"until=2026-12-31",
		"until=2026-12-31 reason=",
		"until=2026-12-31 reason= ",
		"reason=x until=2026-12-31",
		"until=2026-2-1 reason=x",
		"until=31.12.2026 reason=x",
		"until=2026-02-29 reason=x",
		"until=2026-13-01 reason=x",
		"until=2026-12-31T00:00 reason=x",
		"Until=2026-12-31 reason=x",
		"until=2026-12-31 reason=x reason=y",
		"until=2026-12-31 reason=x owner=",
		"x until=2026-12-31 reason=x",
	]) {
		it(`parsePolicy() refuses the exemption "${text}" and says how to write one`, () => {
			assert.match(
				problem({ "exempt.a": text }),
				/^exempt\.a: .* \| Write until=YYYY-MM-DD reason=TEXT \[owner=TEXT\] \[ticket=TEXT\]$/,
			);
			assert.equal(policyOf({ "exempt.a": text }).exemptions.size, 0);
		});
	}

	it("parsePolicy() says which day does not exist", () => {
		assert.match(
			problem({ "exempt.a": "until=2026-02-30 reason=x" }),
			/names a day that does not exist, 2026-02-30/,
		);
	});
});
