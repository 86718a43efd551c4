import assert from "node:assert/strict";
import { createServer } from "node:http";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { anyAddress } from "../../src/server/any-address.ts";

const ipv4 = {
	address: "10.0.0.7",
	netmask: "255.0.0.0",
	family: "IPv4",
	mac: "",
	internal: false,
	cidr: null,
} as const;
const ipv6 = { ...ipv4, address: "fd00::7", netmask: "ffff::", family: "IPv6", scopeid: 0 } as const;

test("anyAddress() is IPv6's where some interface has IPv6, else IPv4's", () => {
	assert.equal(
		anyAddress({
			lo: [ipv4],
			eth0: [ipv4, ipv6],
		}),
		"::",
	);
	assert.equal(anyAddress({ lo: [ipv4] }), "0.0.0.0");
	assert.equal(anyAddress({}), "0.0.0.0");
});

test("anyAddress() takes connections over every family that this machine has", async (context) => {
	const server = createServer((_, response) => response.end("here"));
	await new Promise<void>((resolve) => server.listen(0, anyAddress(), resolve));
	context.after(() => server.close());
	const address = server.address();
	assert.ok(typeof address === "object" && address !== null);
	const families = new Set(
		Object.values(networkInterfaces()).flatMap((list) => list?.map(({ family }) => family)),
	);
	for (const host of ["127.0.0.1", ...(families.has("IPv6") ? ["[::1]"] : [])]) {
		const answer = await fetch(`http://${host}:${address.port}/`);
		assert.equal(await answer.text(), "here", host);
	}
});
