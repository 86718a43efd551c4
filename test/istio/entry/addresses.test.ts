import assert from "node:assert/strict";
import { it } from "node:test";
import {
	asIstiodReads,
	canonicalAddress,
	isIPAddress,
	isIPSubnet,
	isPrivateAddress,
} from "../../../src/istio/entry/addresses.ts";

it("isIPAddress() reads zones as Go does, slashes in them too", () => {
	assert.deepEqual(
		["fe80::1%eth0", "fe80::1%a/b", "fe80::1%", "1.2.3.4%eth0", "%eth0", "1.2.3.4"].map(isIPAddress),
		[true, true, false, false, false, true],
	);
});

it("isIPSubnet() takes one slash for a CIDR", () => {
	assert.deepEqual(["1.2.3.4/8", "1.2.3.4/33", "fe80::1%a/64", "fe80::1%a/b/c", "1.2.3.4/"].map(isIPSubnet), [
		true,
		false,
		false,
		true,
		false,
	]);
});

it("asIstiodReads() drops zones and masks host bits, and is silent where nothing changes", () => {
	assert.deepEqual(
		["fe80::1%eth0", "203.0.113.9/24", "2001:db8::1/32", "203.0.113.0/24", "1.2.3.4", "x"].map(asIstiodReads),
		["fe80::1", "203.0.113.0/24", "2001:db8::/32", undefined, undefined, undefined],
	);
});

it("isPrivateAddress() knows what the internet does not route", () => {
	assert.deepEqual(
		["10.1.2.3", "fd00::1", "::ffff:192.168.0.1", "8.8.8.8", "a.example.com"].map(isPrivateAddress),
		[true, true, true, false, false],
	);
});

it("canonicalAddress() writes an IPv6 address as Kubernetes keeps it, and leaves the rest", () => {
	assert.deepEqual(
		["FD00:0:0::7", "fd00::7%eth0", "::ffff:10.0.0.1", "10.0.0.1", "fd00::/8", "host"].map(canonicalAddress),
		["fd00::7", "fd00::7", "10.0.0.1", "10.0.0.1", "fd00::/8", "host"],
	);
});
