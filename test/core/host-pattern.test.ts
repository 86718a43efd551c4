import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { HostPattern } from "../../src/core/host-pattern.ts";
import {
	canonicalHost,
	covers,
	overlaps,
	parseHostPattern,
	someCovers,
	someOverlaps,
} from "../../src/core/host-pattern.ts";
import { runs } from "../support/long-form.ts";

function parsed(text: string): HostPattern {
	const pattern = parseHostPattern(text);
	assert.ok(pattern !== undefined, text);
	return pattern;
}

/** Hosts of few letters, so that they meet: `a.b`, `*.b`, and Istio's partial `*b`. */
const label = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 2 });
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
const pattern = fc.tuple(fc.constantFrom("", "*."), name).map(([start, rest]) => parsed(start + rest));
const host = fc.tuple(fc.constantFrom("", "*.", "*"), name).map(([start, rest]) => start + rest);

/** Whether a host as a ServiceEntry writes it stands for a name (Istio pkg/config/host/name.go). */
function standsFor(written: string, one: string): boolean {
	return written.startsWith("*")
		? one.endsWith(written.slice(1)) && one.length > written.length - 1
		: one === written;
}

describe("canonicalHost()", () => {
	for (const [written, expected] of [
		["API.Example.COM", "api.example.com"],
		["example.com.", "example.com"],
		["example.com..", "example.com."],
		[".", "."],
		["", ""],
		["bücher.example", "xn--bcher-kva.example"],
		["BÜCHER.example.", "xn--bcher-kva.example"],
		["*.bücher.example", "*.xn--bcher-kva.example"],
		["ｅxample.com", "example.com"],
		["xn--bcher-kva.example", "xn--bcher-kva.example"],
		["\u212Aelvin.example", "kelvin.example"],
		["ex ample\u00E9.com", "ex ample\u00E9.com"],
		["user@ex\u00E4mple.com", "user@ex\u00E4mple.com"],
		["ex\u00E4mple.com:443", "ex\u00E4mple.com:443"],
		["ex\u00E4mple.com/path", "ex\u00E4mple.com/path"],
	] as const) {
		it(`canonicalHost() writes "${written}" as "${expected}"`, () => {
			assert.equal(canonicalHost(written), expected);
		});
	}

	it("canonicalHost() changes nothing the second time, and never throws", () => {
		const hosts = fc.oneof(fc.domain(), host, fc.string({ unit: "grapheme", maxLength: 20 }));
		fc.assert(
			fc.property(hosts, (text) => {
				const once = canonicalHost(text);
				// A second trailing dot is no spelling of the same host.
				if (!once.endsWith(".")) {
					assert.equal(canonicalHost(once), once);
				}
			}),
		);
	});
});

describe("parseHostPattern()", () => {
	for (const text of [
		"",
		"*",
		"*.",
		"*foo.com",
		"a.*.com",
		"*.*.com",
		"a..b",
		".a",
		"-a.com",
		"a-.com",
		"a b.com",
		"https://a.com",
		"a.com:443",
		"a.com/b",
		`${"a".repeat(64)}.com`,
		`${"a.".repeat(127)}com`,
		"${namespace}.example.com",
		"a\u0000.com",
	]) {
		it(`parseHostPattern() refuses "${text.slice(0, 30)}"`, () => {
			assert.equal(parseHostPattern(text), undefined);
		});
	}

	it("parseHostPattern() reads a host and a suffix in canonical form", () => {
		assert.deepEqual(parsed("API.Example.com."), { text: "api.example.com", suffix: undefined });
		assert.deepEqual(parsed("*.Example.com"), { text: "*.example.com", suffix: ".example.com" });
		assert.deepEqual(parsed("localhost"), { text: "localhost", suffix: undefined });
		assert.deepEqual(parsed("_dmarc.example.com"), { text: "_dmarc.example.com", suffix: undefined });
		assert.deepEqual(parsed("*.bücher.example"), {
			text: "*.xn--bcher-kva.example",
			suffix: ".xn--bcher-kva.example",
		});
	});
});

describe("covers() and overlaps()", () => {
	it("covers() means that every name the host stands for is the pattern's", () => {
		fc.assert(
			fc.property(pattern, host, name, (allowed, written, one) => {
				if (covers(allowed, written) && standsFor(written, one)) {
					assert.ok(covers(allowed, one), `${allowed.text} covers ${written} and not ${one}`);
				}
			}),
			runs(2000),
		);
	});

	it("overlaps() is true where any name is both the pattern's and the host's", () => {
		fc.assert(
			fc.property(pattern, host, name, (denied, written, one) => {
				if (covers(denied, one) && standsFor(written, one)) {
					assert.ok(overlaps(denied, written), `${denied.text} and ${written} share ${one}`);
				}
			}),
			runs(2000),
		);
	});

	it("overlaps() is false where they can share no name", () => {
		fc.assert(
			fc.property(pattern, host, (denied, written) => {
				if (!overlaps(denied, written)) {
					// The names that could be shared: the longer of the two suffixes with something in front.
					const suffix = denied.suffix ?? denied.text;
					for (const one of [`ab${suffix}`, `x.${suffix}`, `ab${written.replace("*", "")}`, denied.text]) {
						assert.ok(!(covers(denied, one) && standsFor(written, one)), `both have ${one}`);
					}
				}
			}),
			runs(2000),
		);
	});

	for (const [text, written, isCovered, isShared] of [
		["*.example.com", "example.com", false, false],
		["*.example.com", "*.example.com", true, true],
		["*.example.com", "*.com", false, true],
		["*.example.com", "*example.com", false, true],
		["*.example.com", "*ample.com", false, true],
		["*.example.com", "*", false, true],
		["*.example.com", "badexample.com", false, false],
		["api.example.com", "*.example.com", false, true],
		["api.example.com", "*.api.example.com", false, false],
		["api.example.com", "API.EXAMPLE.COM.", true, true],
		["example.com", "*example.com", false, true],
	] as const) {
		it(`covers() of ${text} and ${written} is ${isCovered}, overlaps() ${isShared}`, () => {
			assert.equal(covers(parsed(text), written), isCovered);
			assert.equal(overlaps(parsed(text), written), isShared);
		});
	}
});

describe("someCovers() and someOverlaps()", () => {
	it("someCovers() and someOverlaps() say of a list of any length what covers() and overlaps() say of its patterns", () => {
		const lists = fc.array(pattern, { maxLength: 20, size: "max" });
		const more = fc.oneof(host, fc.constantFrom("*", "*.", "", ".", ".a", "A.b", "a.b."));
		fc.assert(
			fc.property(lists, more, (list, one) => {
				assert.equal(
					someCovers(list, one),
					list.some((each) => covers(each, one)),
				);
				assert.equal(
					someOverlaps(list, one),
					list.some((each) => overlaps(each, one)),
				);
			}),
			runs(4_000),
		);
	});
});
