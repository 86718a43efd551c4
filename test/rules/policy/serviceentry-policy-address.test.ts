import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serviceentryPolicyAddress as rule } from "../../../src/rules/policy/serviceentry-policy-address.ts";
import { entry, message, places } from "../../support/team.ts";

const refused = ["error spec.addresses[0]"];

function said(address: string, deniedAddresses?: readonly string[]): readonly string[] {
	const settings = deniedAddresses === undefined ? {} : { limits: { deniedAddresses } };
	return places(rule, entry({ addresses: [address] }), { settings });
}

describe("serviceentry-policy-address", () => {
	for (const address of [
		"169.254.169.254",
		"169.254.0.0/16",
		"169.0.0.0/8",
		"0.0.0.0/0",
		"::ffff:169.254.169.254",
		"::ffff:a9fe:a9fe",
		"::ffff:169.254.0.0/112",
		"127.0.0.1",
		"127.255.255.255",
		"0.0.0.0",
		"::",
		"::1",
		"::/0",
		"fe80::1%eth0",
		"FE80::1",
		"fd00:ec2::254",
		"240.240.3.4",
		"2001:2::7",
		"2001:2:0:ffff::/64",
	]) {
		it(`serviceentry-policy-address refuses ${address} unless the configuration says otherwise`, () => {
			assert.deepEqual(said(address), refused);
			assert.deepEqual(said(address, []), []);
		});
	}

	for (const address of [
		"203.0.113.10",
		"169.253.255.255",
		"169.255.0.0",
		"126.255.255.255",
		"0.0.0.1",
		"2001:db8::1",
		"2001:2:1::/48",
		"fec0::1",
		"240.241.0.0",
		"not-an-address",
		"127.0.0.01",
		"",
	]) {
		it(`serviceentry-policy-address has nothing against "${address}"`, () => {
			assert.deepEqual(said(address), []);
		});
	}

	it("serviceentry-policy-address goes by the ranges of the configuration", () => {
		assert.deepEqual(said("10.1.2.3", ["10.0.0.0/8"]), refused);
		assert.deepEqual(said("127.0.0.1", ["10.0.0.0/8"]), []);
		const settings = { limits: { deniedAddresses: ["10.0.0.0/8"] } };
		const said10 = message(rule, entry({ addresses: ["10.1.2.3"] }), { settings });
		assert.equal(said10, 'Address "10.1.2.3" lies in 10.0.0.0/8, which the cluster denies');
	});

	it("serviceentry-policy-address judges endpoints too, each at its place", () => {
		const spec = {
			addresses: ["203.0.113.1", "127.0.0.1"],
			endpoints: [{ address: "a.example.com" }, { address: "::1" }, { address: null }, {}],
		};
		assert.deepEqual(places(rule, entry(spec)), [
			"error spec.addresses[1]",
			"error spec.endpoints[1].address",
		]);
	});

	it("serviceentry-policy-address judges internal entries too: ztunnel captures for them all the same", () => {
		const addresses = ["169.254.169.254"];
		assert.deepEqual(places(rule, entry({ addresses, location: "MESH_INTERNAL" })), refused);
	});
});
