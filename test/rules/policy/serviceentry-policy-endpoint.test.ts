import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentryPolicyEndpoint as rule } from "../../../src/rules/policy/serviceentry-policy-endpoint.ts";
import { entry, places, team } from "../../support/team.ts";

const limited = { given: [team({ "allowed-hosts": "*.example.com, 198.51.100.7" })] };

function behind(...addresses: readonly string[]): object {
	return {
		hosts: ["a.example.com"],
		resolution: "STATIC",
		endpoints: addresses.map((address) => ({ address })),
	};
}

it("serviceentry-policy-endpoint points at each address on the internet that nobody allowed", () => {
	assert.deepEqual(places(rule, entry(behind("198.51.100.7", "203.0.113.66", "2001:db8::66")), limited), [
		"warning spec.endpoints[1].address",
		"warning spec.endpoints[2].address",
	]);
});

it("serviceentry-policy-endpoint looks at listed addresses where they are where the traffic goes", () => {
	const listed = { hosts: ["a.example.com"], addresses: ["203.0.113.0/24"] };
	assert.deepEqual(places(rule, entry({ ...listed, resolution: "NONE" }), limited), [
		"warning spec.addresses[0]",
	]);
	assert.deepEqual(
		places(rule, entry({ ...listed, resolution: "STATIC", addresses: ["203.0.113.9"] }), limited),
		[],
	);
});

it("serviceentry-policy-endpoint leaves private addresses and names alone", () => {
	assert.deepEqual(places(rule, entry(behind("10.0.0.5", "files.example.org", "127.0.0.1")), limited), []);
});

it("serviceentry-policy-endpoint is silent where hosts are not limited", () => {
	assert.deepEqual(places(rule, entry(behind("203.0.113.66")), { given: [team()] }), []);
});

it("serviceentry-policy-endpoint refuses where the cluster raises it to an error", () => {
	const settings = { severities: { "serviceentry-policy-endpoint": "error" as const } };
	assert.deepEqual(places(rule, entry(behind("203.0.113.66")), { ...limited, settings }), [
		"error spec.endpoints[0].address",
	]);
});
