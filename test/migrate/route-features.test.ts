import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { entry, gateway, gatewayHost, http, route, steer } from "../support/egress-worlds.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
let runs = 0;

// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests of every kind
async function written(...texts: readonly string[]): Promise<ReadonlyMap<string, any>> {
	const file = folder.write(`${runs}.yaml`, texts.join(""));
	const out = join(folder.path, `out-${runs++}`);
	const { code, error } = await runVerb("migrate", file, "--out", out, "--waypoint", "edge/out");
	assert.ok(code === 0 || code === 1, error);
	const stage = join(out, "2-switch");
	return new Map(readdirSync(stage).map((name) => [name, parse(readFileSync(join(stage, name), "utf8"))]));
}

describe("carriedRoutes", () => {
	const alternative = "{number: 8080, name: http-alt, protocol: HTTP}";

	it("keeps routes for different ports apart, by the ports that clients use", async () => {
		const files = await written(
			entry("one", http, alternative),
			gateway("HTTPS", "ISTIO_MUTUAL", 443, 444),
			route(`  http:
${steer(80, 443)}${steer(8080, 444)}  - match: [{gateways: [one], port: 443}]
    timeout: 3s
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
  - match: [{gateways: [one], port: 444, uri: {prefix: /a}}]
    timeout: 9s
    route: [{destination: {host: api.one.example, port: {number: 8080}}}]
`),
		);
		assert.deepEqual(files.get("virtualservice.shop.one-waypoint.yaml")?.spec.http, [
			{
				timeout: "3s",
				match: [{ port: 80 }],
				route: [{ destination: { host: "api.one.example", port: { number: 80 } } }],
			},
			{
				timeout: "9s",
				match: [{ uri: { prefix: "/a" }, port: 8080 }],
				route: [{ destination: { host: "api.one.example", port: { number: 8080 } } }],
			},
		]);
	});

	it("gives each port the port behind it", async () => {
		const files = await written(
			entry("one", http, alternative),
			gateway("HTTP", undefined, 80, 8080),
			route(`  http:
${steer(80)}${steer(8080)}  - match: [{gateways: [one], port: 80}]
    route: [{destination: {host: api.one.example, port: {number: 443}}}]
  - match: [{gateways: [one], port: 8080}]
    route: [{destination: {host: api.one.example, port: {number: 8443}}}]
`),
		);
		const { ports } = files.get("serviceentry.shop.one.yaml").spec;
		assert.deepEqual(
			ports.map((port: { readonly targetPort?: number }) => port.targetPort),
			[443, 8443],
		);
	});

	it("leaves the port open where one route is for all of them", async () => {
		const files = await written(
			entry("one", http, alternative),
			gateway("HTTP", undefined, 80, 8080),
			route(`  http:
  - match: [{gateways: [mesh], port: 80}, {gateways: [mesh], port: 8080}]
    route: [{destination: {host: ${gatewayHost}}}]
  - match: [{gateways: [one]}]
    timeout: 3s
    route: [{destination: {host: api.one.example}}]
`),
		);
		assert.deepEqual(files.get("virtualservice.shop.one-waypoint.yaml")?.spec.http, [
			{ timeout: "3s", route: [{ destination: { host: "api.one.example" } }] },
		]);
	});

	it("carries answers of the gateway's own, in their order", async () => {
		const files = await written(
			entry("one", http),
			gateway("HTTP", undefined, 80),
			route(`  http:
${steer(80)}  - match: [{gateways: [one], uri: {prefix: /old}}]
    redirect: {uri: /new}
  - match: [{gateways: [one]}]
    route: [{destination: {host: api.one.example, port: {number: 80}}}]
`),
		);
		const routes = files.get("virtualservice.shop.one-waypoint.yaml")?.spec.http;
		assert.deepEqual(routes[0], { redirect: { uri: "/new" }, match: [{ uri: { prefix: "/old" } }] });
		assert.equal(routes.length, 2);
	});
});
