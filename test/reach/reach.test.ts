import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnyObject } from "../../src/core/kinds.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import type { Bits } from "../../src/reach/bits.ts";
import { numbersOf } from "../../src/reach/bits.ts";
import { readReach } from "../../src/reach/reach.ts";
import { refusalOf } from "../../src/reach/word.ts";
import { entry, namespace, policy, waypoint, worldWith } from "./worlds.ts";

const today = "2026-11-26";

/** Each outlet as `HOST:PORT WAY may … can … gap …`. */
function outlets(objects: readonly AnyObject[], settings: SettingsFile = {}): readonly string[] {
	const { namespaces, outlets: all } = readReach(worldWith(objects, settings), today);
	const names = (bits: Bits): string => [...numbersOf(bits)].map((place) => namespaces[place]).join(",");
	return all.map(
		({ host, port, way, may, can, gap }) =>
			`${host}:${port} ${way} may ${names(may)} can ${names(can)} gap ${names(gap)}`,
	);
}

const bank = namespace("bank", { "allowed-hosts": "*.bank.example" });
const intern = namespace("intern", { "denied-hosts": "api.bank.example" });
const egress = namespace("istio-egress");
const api = entry("bank/api", "api.bank.example");

describe("readReach", () => {
	it("readReach() shows the namespace that reaches a host against its policy", () => {
		assert.deepEqual(outlets([bank, intern, egress, waypoint, api]), [
			"api.bank.example:443 waypoint may bank,istio-egress can bank,intern,istio-egress gap intern",
		]);
	});

	it("readReach() has no gap where an AuthorizationPolicy refuses the namespace", () => {
		const guard = policy("bank/guard", "api", {
			action: "DENY",
			rules: [{ from: [{ source: { namespaces: ["intern"] } }] }],
		});
		assert.deepEqual(outlets([bank, intern, egress, waypoint, api, guard]), [
			"api.bank.example:443 waypoint may bank,istio-egress can bank,istio-egress gap ",
		]);
	});

	it("readReach() knows that an entry of the client's own namespace answers first", () => {
		const own = entry("intern/api", "api.bank.example", {}, {});
		assert.deepEqual(outlets([bank, intern, egress, waypoint, api, own]), [
			"api.bank.example:443 waypoint may bank,istio-egress can bank,istio-egress gap ",
			"api.bank.example:443 direct may bank,istio-egress can intern gap intern",
		]);
	});

	it("readReach() counts pods that ztunnel does not see as ones that get there", () => {
		const outside = { apiVersion: "v1", kind: "Namespace", metadata: { name: "vm" } };
		assert.deepEqual(
			outlets([bank, outside, egress, waypoint, api], { limits: { deniedHosts: ["api.bank.example"] } }),
			["api.bank.example:443 waypoint may  can bank,istio-egress,vm gap bank,istio-egress,vm"],
		);
	});

	it("readReach() tells a host without an address, one without a waypoint, and one that is refused to all", () => {
		const closed = policy("bank/closed", "shut", {});
		assert.deepEqual(
			outlets([
				bank,
				waypoint,
				entry("bank/none", "a.bank.example", { resolution: "NONE" }),
				entry("bank/open", "b.bank.example", {}, {}),
				entry("bank/shut", "c.bank.example"),
				closed,
			]),
			[
				"a.bank.example:443 unknown may bank can bank gap ",
				"b.bank.example:443 direct may bank can bank gap ",
				"c.bank.example:443 refused may bank can  gap ",
			],
		);
	});

	it("readReach() asks nothing of a namespace that is off, and does not refuse where a policy is only watched", () => {
		const off = namespace("off", { mode: "off", "denied-hosts": "*.bank.example" });
		const warn = namespace("warn", { mode: "warn", "denied-hosts": "*.bank.example" });
		const lifted = namespace("lifted", {
			"denied-hosts": "*.bank.example",
			"exempt.serviceentry-policy-host": "until=2026-12-01 reason=move",
		});
		const late = namespace("late", {
			"denied-hosts": "*.bank.example",
			"exempt.serviceentry-policy-host": "until=2026-11-25 reason=move",
		});
		const { namespaces, outlets: all } = readReach(
			worldWith([bank, off, warn, lifted, late, waypoint, api]),
			today,
		);
		const names = (bits: Bits | undefined): readonly (string | undefined)[] =>
			[...numbersOf(bits ?? new Uint32Array())].map((place) => namespaces[place]);
		assert.deepEqual(names(all[0]?.may), ["bank", "off"]);
		assert.deepEqual(names(all[0]?.refuse), ["late"]);
	});

	it("readReach() agrees with the policy of every namespace about every host and port", () => {
		const patterns = [
			"*.example",
			"a.example",
			"*.b.example",
			"c.b.example",
			"${namespace}.example",
			"d.example",
		];
		const hosts = ["a.example", "c.b.example", "*.b.example", "n1.example", "d.example.", "D.example"];
		const namespaces = Array.from({ length: 40 }, (_, place) =>
			namespace(`n${place}`, {
				...(place % 3 === 0
					? {}
					: { "allowed-hosts": `${patterns[place % 6]}, ${patterns[(place >> 1) % 6]}` }),
				...(place % 4 === 0 ? { "denied-hosts": patterns[(place + 1) % 6] ?? "" } : {}),
				...(place % 5 === 0 ? { "allowed-ports": "443/TLS, 8000-8099" } : {}),
				...(place % 7 === 0 ? { "allowed-protocols": "HTTP" } : {}),
			}),
		);
		const ports = [
			{ number: 443, name: "tls", protocol: "TLS" },
			{ number: 8080, name: "http", protocol: "http" },
			{ number: 9000, name: "any" },
		];
		const world = worldWith(
			[...namespaces, waypoint, ...hosts.map((host, place) => entry(`n0/e${place}`, host, { ports }))],
			{ limits: { deniedHosts: ["x.example"], allowedHosts: ["*.example"] } },
		);
		const reach = readReach(world, today);
		assert.equal(reach.outlets.length, hosts.length * ports.length);
		for (const { host, port, protocol, may, refuse } of reach.outlets) {
			const allowed = new Set(numbersOf(may));
			const refused = new Set(numbersOf(refuse));
			for (const [place, name] of reach.namespaces.entries()) {
				const expected = refusalOf(world.policy(name), { host, port, protocol }) === undefined;
				assert.equal(allowed.has(place), expected, `${name} → ${host}:${port}`);
				assert.equal(refused.has(place), !expected, `${name} → ${host}:${port}`);
			}
		}
	});
});
