import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { AddressRange } from "../../src/core/address-range.ts";
import {
	blocksAround,
	bucketOfAddressesIn,
	bucketsAround,
	bucketsOfRange,
	cidrText,
	embeddedAddress,
	parseAddressRange,
	rangeContains,
	rangesOverlap,
	widePrefixes,
} from "../../src/core/address-range.ts";

/** What Go 1.26's netip.ParseAddr, or ParsePrefix where there is a slash, says: the masked prefix without its zone. */
const netip: readonly (readonly [string, string])[] = [
	["1.2.3.4", "1.2.3.4/32"],
	["0.0.0.0", "0.0.0.0/32"],
	["255.255.255.255", "255.255.255.255/32"],
	["256.0.0.1", ""],
	["1.2.3", ""],
	["1.2.3.4.5", ""],
	["1.2.3.", ""],
	[".1.2.3", ""],
	["1..2.3", ""],
	["01.2.3.4", ""],
	["1.2.3.04", ""],
	["00.0.0.0", ""],
	["1.2.3.4 ", ""],
	[" 1.2.3.4", ""],
	["0x1.2.3.4", ""],
	["1.2.3.-4", ""],
	["+1.2.3.4", ""],
	["1.2.3.4%eth0", ""],
	["1", ""],
	["16909060", ""],
	["", ""],
	["::", "::/128"],
	["::1", "::1/128"],
	["1::", "1::/128"],
	["1::2", "1::2/128"],
	["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"],
	["1:2:3:4:5:6:7", ""],
	["1:2:3:4:5:6:7:8:9", ""],
	["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128"],
	["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8/128"],
	["1:2:3:4::5:6:7:8", ""],
	["1:2:3:4:5:6:7:8::", ""],
	["::1:2:3:4:5:6:7:8", ""],
	["1::2::3", ""],
	[":::", ""],
	[":", ""],
	[":1", ""],
	["1:", ""],
	["12345::", ""],
	["0001::", "1::/128"],
	["00001::", ""],
	["g::", ""],
	["ABCD::EF", "abcd::ef/128"],
	["::ffff:1.2.3.4", "::ffff:1.2.3.4/128"],
	["::ffff:102:304", "::ffff:1.2.3.4/128"],
	["::FFFF:1.2.3.4", "::ffff:1.2.3.4/128"],
	["::1.2.3.4", "::102:304/128"],
	["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304/128"],
	["1:2:3:4:5:6:7:1.2.3.4", ""],
	["1.2.3.4::", ""],
	["::1.2.3.4:5", ""],
	["::1.2.3", ""],
	["::1.2.3.04", ""],
	["::1.2.3.256", ""],
	["fe80::1%eth0", "fe80::1/128"],
	["fe80::1%", ""],
	["fe80::1%a%b", "fe80::1/128"],
	["fe80::%1", "fe80::/128"],
	["%eth0", ""],
	["fe80%eth0::1", ""],
	["::ffff:1.2.3.4%eth0", "::ffff:1.2.3.4/128"],
	["[::1]", ""],
	["::1]", ""],
	["1.2.3.4:80", ""],
	["::1 ", ""],
	["example.com", ""],
	["1.2.3.4/32", "1.2.3.4/32"],
	["1.2.3.4/0", "0.0.0.0/0"],
	["1.2.3.4/24", "1.2.3.0/24"],
	["1.2.3.4/33", ""],
	["1.2.3.4/-1", ""],
	["1.2.3.4/+8", ""],
	["1.2.3.4/08", ""],
	["1.2.3.4/00", ""],
	["1.2.3.4/", ""],
	["1.2.3.4/8/8", ""],
	["/8", ""],
	["1.2.3.4/255.0.0.0", ""],
	["1.2.3.4/ 8", ""],
	["1.2.3.4/8 ", ""],
	["01.2.3.4/8", ""],
	["::/0", "::/0"],
	["::1/128", "::1/128"],
	["::1/129", ""],
	["2001:db8::1/32", "2001:db8::/32"],
	["::ffff:1.2.3.4/96", "::ffff:0.0.0.0/96"],
	["::ffff:1.2.3.4/128", "::ffff:1.2.3.4/128"],
	["::ffff:1.2.3.4/120", "::ffff:1.2.3.0/120"],
	["::ffff:0:0/95", "::fffe:0:0/95"],
	["fe80::1%eth0/64", ""],
	["fe80::1/64%eth0", ""],
	["::/1000", ""],
	["1.2.3.4/032", ""],
];

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)\/(\d+)$/;

/** Netip keeps IPv4-mapped IPv6 apart; we read it as the IPv4 that it reaches. */
function unmapped(text: string): string {
	const match = mapped.exec(text);
	return match === null ? text : `${match[1]}/${Number(match[2]) - 96}`;
}

/** A masked prefix as a number, from the form that netip writes. */
function fromMasked(text: string): {
	readonly family: number;
	readonly start: bigint;
	readonly prefix: number;
} {
	const [address = "", prefix = ""] = text.split("/");
	if (address.includes(".")) {
		const start = address.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
		return { family: 4, start, prefix: Number(prefix) };
	}
	const [head = "", tail = ""] = address.split("::");
	const groups = (half: string): string[] => (half === "" ? [] : half.split(":"));
	const zeros = address.includes("::") ? 8 - groups(head).length - groups(tail).length : 0;
	const all = [...groups(head), ...new Array<string>(zeros).fill("0"), ...groups(tail)];
	return {
		family: 6,
		start: all.reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n),
		prefix: Number(prefix),
	};
}

function masked(range: AddressRange): ReturnType<typeof fromMasked> {
	const shift = BigInt((range.family === 4 ? 32 : 128) - range.prefix);
	return { family: range.family, start: (range.bits >> shift) << shift, prefix: range.prefix };
}

function parsed(text: string): AddressRange {
	const range = parseAddressRange(text);
	assert.ok(range !== undefined, text);
	return range;
}

const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }));
const v6 = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }));
const ranges = fc.oneof(v4, v6).map(([address, prefix]) => parsed(`${address}/${prefix}`));

describe("parseAddressRange()", () => {
	for (const [text, expected] of netip) {
		it(`parseAddressRange() reads "${text}" as Go's netip does: ${expected || "not at all"}`, () => {
			const range = parseAddressRange(text);
			assert.deepEqual(range && masked(range), expected === "" ? undefined : fromMasked(unmapped(expected)));
		});
	}

	it("parseAddressRange() keeps the text as written", () => {
		assert.equal(parsed("FE80::1%eth0").text, "FE80::1%eth0");
	});

	it("parseAddressRange() reads IPv4-mapped IPv6 as the IPv4 addresses that it reaches", () => {
		assert.deepEqual(masked(parsed("::ffff:10.0.0.0/104")), masked(parsed("10.0.0.0/8")));
		assert.equal(parsed("::ffff:0:0/95").family, 6);
	});

	it("parseAddressRange() never throws", () => {
		const alphabet = fc.string({ unit: fc.constantFrom(..."0123456789abcfF.:/%x- "), maxLength: 24 });
		fc.assert(
			fc.property(fc.oneof(fc.string(), alphabet), (text) => {
				const range = parseAddressRange(text);
				return range === undefined || (range.prefix >= 0 && range.bits >= 0n);
			}),
		);
	});
});

describe("rangesOverlap() and rangeContains()", () => {
	it("rangesOverlap() is symmetric, and true exactly where one contains the other", () => {
		fc.assert(
			fc.property(ranges, ranges, (one, other) => {
				assert.equal(rangesOverlap(one, other), rangesOverlap(other, one));
				assert.equal(rangesOverlap(one, other), rangeContains(one, other) || rangeContains(other, one));
			}),
		);
	});

	it("rangeContains() is true of the range itself and of every longer prefix of an address in it", () => {
		fc.assert(
			fc.property(ranges, fc.nat(128), (range, more) => {
				const width = range.family === 4 ? 32 : 128;
				const inner = { ...range, prefix: Math.min(width, range.prefix + more) };
				assert.ok(rangeContains(range, inner));
				assert.equal(rangeContains(inner, range), inner.prefix === range.prefix);
			}),
		);
	});

	for (const [one, other, expected] of [
		["10.0.0.0/8", "10.255.255.255", true],
		["10.0.0.0/8", "11.0.0.0", false],
		["10.0.0.7/8", "10.0.0.0/8", true],
		["0.0.0.0/0", "::/0", false],
		["::ffff:10.0.0.1", "10.0.0.0/8", true],
		["::/0", "10.0.0.1", false],
		["2001:2::/48", "2001:2:0:ffff::1", true],
		["2001:2::/48", "2001:2:1::", false],
	] as const) {
		it(`rangesOverlap() of ${one} and ${other} is ${expected}`, () => {
			assert.equal(rangesOverlap(parsed(one), parsed(other)), expected);
		});
	}
});

describe("embeddedAddress()", () => {
	it("embeddedAddress() gives the IPv4 addresses behind the well-known prefix of NAT64, and nothing else", () => {
		const embedded = (text: string): string | undefined => {
			const range = parseAddressRange(text);
			const inner = range && embeddedAddress(range);
			return inner && `${inner.family} ${inner.bits.toString(16)}/${inner.prefix}`;
		};
		assert.equal(embedded("64:ff9b::169.254.169.254"), "4 a9fea9fe/32");
		assert.equal(embedded("64:ff9b::a9fe:0/112"), "4 a9fe0000/16");
		assert.equal(embedded("64:ff9b:1::a9fe:a9fe"), undefined);
		assert.equal(embedded("64:ff9b::/64"), undefined);
		assert.equal(embedded("169.254.169.254"), undefined);
	});
});

describe("bucketsAround()", () => {
	const texts = [
		...[
			"203.0.113.7",
			"203.0.113.4/30",
			"203.0.113.8/29",
			"203.0.113.0/24",
			"203.0.112.0/23",
			"203.0.0.0/16",
			"203.0.0.0/15",
			"0.0.0.0/0",
		],
		...[
			"203.0.200.7",
			"203.1.0.7",
			"2001:db8::1",
			"2001:db8::/64",
			"2001:db8::/56",
			"2001:db8::/48",
			"2001::/16",
		],
		...["2001:db8:0:1::/64", "2001:db8:1::1", "::/0"],
	];

	it("bucketsAround() shares a key with bucketsOfRange() of every range that overlaps", () => {
		let overlapping = 0;
		for (const one of texts.map((text) => parseAddressRange(text))) {
			for (const other of texts.map((text) => parseAddressRange(text))) {
				assert.ok(one !== undefined && other !== undefined);
				if (rangesOverlap(one, other)) {
					overlapping += 1;
					const keys = bucketsOfRange(other);
					assert.ok(
						bucketsAround(one).some((key) => keys.includes(key)),
						`${one.text} ${other.text}`,
					);
				}
			}
		}
		assert.ok(overlapping > texts.length);
	});

	it("bucketsAround() of a single address shares none with its neighbour in the same /24", () => {
		const [one, other] = ["203.0.113.7", "203.0.113.8"].map((text) => parseAddressRange(text));
		assert.ok(one !== undefined && other !== undefined);
		const keys = bucketsOfRange(other);
		assert.ok(!bucketsAround(one).some((key) => keys.includes(key)));
	});
});

describe("blocksAround()", () => {
	const wide = [
		"0.0.0.0/0",
		"128.0.0.0/1",
		"203.0.0.0/8",
		"202.0.0.0/7",
		"203.0.0.0/15",
		"::/0",
		"2000::/3",
		"2001:db8::/47",
	];
	const narrow = [
		"203.0.113.7",
		"203.1.0.0/16",
		"202.255.255.255",
		"127.0.0.1",
		"2001:db8:1::/48",
		"2001:db8:2::1",
	];

	it("blocksAround() shares a key with a wide block exactly where a narrow range lies in it", () => {
		for (const block of wide.map((text) => parseAddressRange(text))) {
			for (const inner of narrow.map((text) => parseAddressRange(text))) {
				assert.ok(block !== undefined && inner !== undefined);
				const keys = bucketsOfRange(block);
				assert.equal(
					blocksAround(inner, widePrefixes[inner.family]).some((key) => keys.includes(key)),
					rangesOverlap(block, inner),
					`${block.text} ${inner.text}`,
				);
			}
		}
	});
});

describe("bucketOfAddressesIn()", () => {
	it("bucketOfAddressesIn() is a key of every single address in a range", () => {
		for (const text of [
			"203.0.113.7",
			"203.0.113.0/24",
			"203.0.112.0/23",
			"203.0.0.0/8",
			"2001:db8::/64",
			"2001:db8::/32",
		]) {
			const inner = parseAddressRange(text.replace(/[/].*/, ""));
			const range = parseAddressRange(text);
			assert.ok(range !== undefined && inner !== undefined);
			assert.ok(bucketsOfRange(inner).includes(bucketOfAddressesIn(range)), text);
		}
	});
});

describe("cidrText()", () => {
	it("cidrText() writes what Go's netip writes, and IPv4 for what is mapped to it", () => {
		for (const [text, expected] of netip) {
			const range = parseAddressRange(text);
			if (range !== undefined && range.family === (expected.includes(":") ? 6 : 4)) {
				assert.equal(cidrText(range), expected, text);
			}
		}
	});

	it("cidrText() leaves out what stands behind the prefix", () => {
		const written = ["10.9.8.7/8", "fd00:0::1/8", "::ffff:10.1.2.3", "0.0.0.0/0", "::/0", "1:0:0:2::3/64"];
		assert.deepEqual(
			written.map((text) => cidrText(parseAddressRange(text) ?? assert.fail(text))),
			["10.0.0.0/8", "fd00::/8", "10.1.2.3/32", "0.0.0.0/0", "::/0", "1:0:0:2::/64"],
		);
	});
});
