import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatPath } from "../../src/core/finding.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import {
	defaultDeniedAddresses,
	defaultSettings,
	hostPatterns,
	parseHostItem,
	parseSettings,
	parseWaypointReference,
} from "../../src/core/settings.ts";

function problems(file: SettingsFile): readonly string[] {
	return parseSettings(file).problems.map(({ path, message }) => `${formatPath(path)} ${message}`);
}

describe("parseSettings()", () => {
	it("parseSettings() of nothing enforces, and denies metadata, loopback and allocated addresses", () => {
		assert.equal(defaultSettings.defaults.mode, "enforce");
		assert.equal(defaultSettings.defaults.ambient, undefined);
		assert.equal(defaultSettings.defaults.waypoint, undefined);
		assert.equal(defaultSettings.limits.allowedHosts, undefined);
		assert.deepEqual(
			defaultSettings.limits.deniedAddresses.map((each) => each.text),
			defaultDeniedAddresses,
		);
		assert.equal(defaultSettings.limits.wildcardMinimumLabels, 2);
		assert.equal(defaultSettings.waypoints.whenMissing, "deny");
		assert.equal(defaultSettings.clusterDomain, "cluster.local");
		assert.equal(defaultSettings.policyEditors, undefined);
		assert.deepEqual(problems({}), []);
	});

	it("parseSettings() reads a whole configuration", () => {
		const { settings, problems: found } = parseSettings({
			defaults: { mode: "audit", ambient: "permitted", waypoint: "egress/shared" },
			limits: {
				allowedHosts: ["*.example.com", "${namespace}.example.org"],
				allowedPorts: [443, "80/HTTP"],
				allowedProtocols: ["tls"],
				deniedAddresses: [],
				wildcardMinimumLabels: 3,
			},
			egressGateways: { labels: [{ app: "egress" }, {}], services: ["infra/egress"] },
			waypoints: { controllers: ["acme.dev/waypoint"], whenMissing: "warn" },
			istioVersion: "1.29",
			clusterDomain: "Corp.Example",
			exemptNamespaces: ["infra"],
			policyEditors: { users: ["alice"] },
			severities: { "serviceentry-policy-host": "warning", "serviceentry-policy-port": "off" },
		});
		assert.deepEqual(found, []);
		assert.deepEqual(settings.defaults, {
			mode: "audit",
			ambient: "permitted",
			waypoint: { namespace: "egress", name: "shared" },
			allowedHosts: undefined,
			deniedHosts: undefined,
			allowedPorts: undefined,
			allowedProtocols: undefined,
		});
		assert.equal(settings.limits.allowedPorts?.[1]?.protocol, "HTTP");
		assert.deepEqual(settings.limits.deniedAddresses, []);
		assert.deepEqual(settings.egressGateways.labels, [{ app: "egress" }]);
		assert.equal(settings.istioMinor, 29);
		assert.equal(settings.clusterDomain, "corp.example");
		assert.deepEqual([...(settings.policyEditors?.groups ?? [])], []);
		assert.equal(settings.severities.get("serviceentry-policy-port"), "off");
	});

	it("parseSettings() lists every problem at once, each with its place and the accepted form", () => {
		const found = problems({
			defaults: { mode: "Enforce", ambient: "yes", waypoint: "shared" },
			limits: {
				allowedHosts: ["a.com", "https://b.com"],
				deniedHosts: ["*"],
				allowedPorts: [0, 443],
				allowedProtocols: ["QUIC"],
				deniedAddresses: ["10.0.0.0/33"],
			},
			waypoints: { whenMissing: "ignore" },
			istioVersion: "1.29.1",
			severities: { "serviceentry-policy-host": "fatal" },
		});
		assert.deepEqual(
			found.map((each) => each.split(" ")[0]),
			[
				"defaults.mode",
				"defaults.ambient",
				"defaults.waypoint",
				"limits.allowedHosts[1]",
				"limits.deniedHosts[0]",
				"limits.allowedPorts[0]",
				"limits.allowedProtocols[0]",
				"limits.deniedAddresses[0]",
				"waypoints.whenMissing",
				"istioVersion",
				"severities.serviceentry-policy-host",
			],
		);
		assert.ok(found.every((each) => / must be /.test(each)));
	});

	it("parseSettings() reads links as a base that ends with a slash, and contact as one printable line", () => {
		const { settings } = parseSettings({ links: "https://docs.example.com/rules", contact: " #egress " });
		assert.deepEqual([settings.links, settings.contact], ["https://docs.example.com/rules/", "#egress"]);
		assert.deepEqual([defaultSettings.links, defaultSettings.contact], [undefined, undefined]);
		for (const links of [
			"docs/rules",
			"ftp://host",
			"https://",
			"https://h/?a=b",
			"https://h/'",
			"https://h/a b",
		]) {
			assert.match(problems({ links })[0] ?? "", /^links must be an http or https URL/);
		}
		for (const contact of ["  ", "two\nlines", "{object.spec}", "\u202e"]) {
			assert.match(problems({ contact })[0] ?? "", /^contact must be one line/);
		}
	});

	it("parseSettings() leaves out what it could not read and keeps the rest", () => {
		const { settings } = parseSettings({ limits: { allowedPorts: [0, 443], allowedHosts: ["*"] } });
		assert.deepEqual(
			settings.limits.allowedPorts?.map((each) => each.from),
			[443],
		);
		assert.deepEqual(settings.limits.allowedHosts?.patterns, []);
	});

	for (const version of ["1.30", "1.9", "1.100"]) {
		it(`parseSettings() reads the Istio version ${version}`, () => {
			assert.equal(parseSettings({ istioVersion: version }).settings.istioMinor, Number(version.slice(2)));
		});
	}

	for (const version of ["", "1", "2.0", "v1.30", "1.30.0", "1.x", " 1.30"]) {
		it(`parseSettings() refuses the Istio version "${version}"`, () => {
			assert.deepEqual(problems({ istioVersion: version }).length, 1);
			assert.equal(parseSettings({ istioVersion: version }).settings.istioMinor, undefined);
		});
	}
});

describe("parseWaypointReference()", () => {
	for (const [text, namespace, expected] of [
		["egress/shared", undefined, { namespace: "egress", name: "shared" }],
		["egress/shared", "shop", { namespace: "egress", name: "shared" }],
		["shared", "shop", { namespace: "shop", name: "shared" }],
		["egress/a.b-c", undefined, { namespace: "egress", name: "a.b-c" }],
		[`egress/${"x".repeat(63)}`, undefined, { namespace: "egress", name: "x".repeat(63) }],
		["shared", undefined, undefined],
		["egress/", undefined, undefined],
		["/shared", "shop", undefined],
		["a/b/c", undefined, undefined],
		["egress/none", undefined, undefined],
		["Egress/shared", undefined, undefined],
		["a.b/shared", undefined, undefined],
		["egress/Shared", undefined, undefined],
		["egress/-a", undefined, undefined],
		[`egress/${"x".repeat(64)}`, undefined, undefined],
		[`${"x".repeat(64)}/a`, undefined, undefined],
		["", "shop", undefined],
	] as const) {
		it(`parseWaypointReference() reads "${text.slice(0, 20)}" in ${namespace ?? "no namespace"}`, () => {
			assert.deepEqual(parseWaypointReference(text, namespace), expected);
		});
	}
});

describe("hostPatterns()", () => {
	it("hostPatterns() fills every placeholder in, and shares the list where there is none", () => {
		const { limits } = parseSettings({
			limits: { allowedHosts: ["a.com", "${namespace}.${namespace}.com"] },
		}).settings;
		const list = limits.allowedHosts;
		assert.ok(list !== undefined);
		assert.deepEqual(
			hostPatterns(list, "shop").map((each) => each.text),
			["a.com", "shop.shop.com"],
		);
		const plain = { ...list, placeholders: [] };
		assert.equal(hostPatterns(plain, "shop"), plain.patterns);
	});

	it("hostPatterns() drops what is no host once the name is filled in", () => {
		const { limits } = parseSettings({ limits: { allowedHosts: ["${namespace}.com"] } }).settings;
		assert.ok(limits.allowedHosts !== undefined);
		assert.deepEqual(hostPatterns(limits.allowedHosts, "not a name"), []);
	});

	it("parseHostItem() knows a placeholder from a mistake", () => {
		assert.equal(parseHostItem("*.${namespace}.com"), "placeholder");
		assert.equal(parseHostItem("${name}.com"), undefined);
		assert.equal(parseHostItem("${namespace}..com"), undefined);
	});
});
