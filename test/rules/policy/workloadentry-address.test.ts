import assert from "node:assert/strict";
import { it } from "node:test";
import { teamNamespace, withAnnotations } from "../../../src/rules/examples.ts";
import { workloadentryAddress as rule } from "../../../src/rules/policy/workloadentry-address.ts";
import { spots } from "../../support/spots.ts";

const limited = [
	withAnnotations(teamNamespace, { "egress.waymark.dev/allowed-hosts": "*.example.com, 8.8.8.8" }),
];

function at(address: string | null, given: Parameters<typeof spots>[2] = limited): readonly string[] {
	return spots(rule, { ...rule.docs.good, spec: { address } }, given);
}

it("workloadentry-address accepts machines of one's own network, names of the cluster and what is allowed", () => {
	for (const address of ["10.20.0.7", "fd00::7", "ledger.team.svc", "vm.example.com", "8.8.8.8", "", null]) {
		assert.deepEqual(at(address), [], String(address));
	}
});

it("workloadentry-address refuses denied ranges in every spelling", () => {
	for (const address of [
		"169.254.169.254",
		"::ffff:a9fe:a9fe",
		"64:ff9b::a9fe:a9fe",
		"127.0.0.1",
		"fe80::1%eth0",
	]) {
		assert.ok(at(address).includes("error spec.address"), address);
	}
});

it("workloadentry-address refuses names and sockets, and warns of addresses on the internet", () => {
	assert.deepEqual(at("files.example.org"), ["error spec.address"]);
	assert.deepEqual(at("unix:///run/app.sock"), ["error spec.address"]);
	assert.deepEqual(at("1.1.1.1"), ["warning spec.address"]);
});

it("workloadentry-address asks nothing where nothing is limited, and leaves sidecars their sockets", () => {
	assert.deepEqual(at("files.example.org", [teamNamespace]), []);
	assert.deepEqual(at("1.1.1.1", [teamNamespace]), []);
	assert.deepEqual(at("unix:///run/app.sock", [{ ...teamNamespace, metadata: { name: "team" } }]), []);
});
