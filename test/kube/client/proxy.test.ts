import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { environmentProxy } from "../../../src/kube/client/proxy.ts";

// The cases of golang.org/x/net/http/httpproxy proxy_test.go that can occur with an API server.
const proxy = "http://proxy.example:3128";

function proxyOf(server: string, noProxy: string): string | undefined {
	return environmentProxy(new URL(server), { HTTPS_PROXY: proxy, NO_PROXY: noProxy });
}

describe("environmentProxy()", () => {
	test("gives HTTPS_PROXY for https and HTTP_PROXY for http, in capitals before small letters", () => {
		const environment = { HTTPS_PROXY: "http://a", https_proxy: "http://b", http_proxy: "http://c" };
		assert.equal(environmentProxy(new URL("https://api.example"), environment), "http://a");
		assert.equal(environmentProxy(new URL("http://api.example"), environment), "http://c");
		assert.equal(environmentProxy(new URL("https://api.example"), {}), undefined);
	});

	test("takes a proxy without a scheme for http", () => {
		const environment = { HTTPS_PROXY: "proxy.example:3128" };
		assert.equal(environmentProxy(new URL("https://api.example"), environment), proxy);
	});

	test("never sends loopback through a proxy", () => {
		for (const server of ["https://localhost:6443", "https://127.0.0.1:6443", "https://[::1]:6443"]) {
			assert.equal(proxyOf(server, ""), undefined, server);
		}
	});

	const spared: readonly (readonly [string, string, boolean])[] = [
		["https://api.example", "*", true],
		["https://api.example", "example", true],
		["https://api.example", ".example", true],
		["https://example", ".example", false],
		["https://api.example", "*.example", true],
		["https://notexample", "example", false],
		["https://api.example:6443", "api.example:6443", true],
		["https://api.example:6443", "api.example:443", false],
		["https://api.example", "api.example:443", true],
		["https://API.example", "other, Api.Example", true],
		["https://10.1.2.3:6443", "10.0.0.0/8", true],
		["https://11.1.2.3:6443", "10.0.0.0/8", false],
		["https://10.1.2.3:6443", "10.1.2.3", true],
		["https://10.1.2.3:6443", "10.1.2.3:6443", true],
		["https://10.1.2.3:6443", "10.1.2.3:443", false],
		["https://[fd00::1]:6443", "fd00::/8", true],
		["https://[fd00::1]:6443", "[fd00::1]:6443", true],
		["https://api.example", ",,", false],
	];
	for (const [server, noProxy, isSpared] of spared) {
		test(`${isSpared ? "spares" : "sends"} ${server} ${isSpared ? "" : "through the proxy "}with NO_PROXY=${noProxy}`, () => {
			assert.equal(proxyOf(server, noProxy), isSpared ? undefined : proxy);
		});
	}
});
