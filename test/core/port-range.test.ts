import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { coversPort, parsePortRange, parseProtocol, protocols } from "../../src/core/port-range.ts";

describe("parsePortRange()", () => {
	for (const [text, from, to, protocol] of [
		["443", 443, 443, undefined],
		["1", 1, 1, undefined],
		["65535", 65535, 65535, undefined],
		["8000-8099", 8000, 8099, undefined],
		["443-443", 443, 443, undefined],
		["443/TLS", 443, 443, "TLS"],
		["443/tls", 443, 443, "TLS"],
		["80/grpc-web", 80, 80, "GRPC-WEB"],
		["3128/http_proxy", 3128, 3128, "HTTP_PROXY"],
		["8000-8099/HTTP", 8000, 8099, "HTTP"],
	] as const) {
		it(`parsePortRange() reads ${text}`, () => {
			assert.deepEqual(parsePortRange(text), { text, from, to, protocol });
		});
	}

	for (const text of [
		"",
		"0",
		"65536",
		"100000",
		"443-",
		"-443",
		"444-443",
		"0-80",
		"443/",
		"/TLS",
		"443/QUIC",
		"443/TLS/HTTP",
		"443 ",
		"4e2",
		"0x50",
		"80,443",
		"+80",
		"８０",
	]) {
		it(`parsePortRange() refuses "${text}"`, () => {
			assert.equal(parsePortRange(text), undefined);
		});
	}
});

describe("parseProtocol()", () => {
	it("parseProtocol() reads every protocol in any case, and nothing else", () => {
		for (const name of protocols) {
			assert.equal(parseProtocol(name.toLowerCase()), name);
		}
		for (const text of ["", "http ", "HTTP/2", "quic", "httpſ", "mongodb", "constructor"]) {
			assert.equal(parseProtocol(text), undefined, text);
		}
	});
});

describe("coversPort()", () => {
	it("coversPort() includes both ends and needs the protocol only where the range names one", () => {
		const ports = fc.integer({ min: 1, max: 65535 });
		const names = fc.option(fc.constantFrom(...protocols), { nil: undefined });
		fc.assert(
			fc.property(ports, ports, ports, names, names, (a, b, port, wanted, actual) => {
				const [from, to] = [Math.min(a, b), Math.max(a, b)];
				const range = parsePortRange(`${from}-${to}${wanted === undefined ? "" : `/${wanted}`}`);
				assert.ok(range !== undefined);
				const expected = port >= from && port <= to && (wanted === undefined || wanted === actual);
				assert.equal(coversPort(range, port, actual), expected);
			}),
		);
	});
});
