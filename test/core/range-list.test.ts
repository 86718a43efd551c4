import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { AddressRange } from "../../src/core/address-range.ts";
import { parseAddressRange, rangesOverlap } from "../../src/core/address-range.ts";
import { extentsOf, listAddresses, listRanges, spanned } from "../../src/core/range-list.ts";
import { runs } from "../support/long-form.ts";

// Few bits, so that many ranges meet.
const four = fc
	.tuple(fc.constantFrom(10, 203), fc.nat(3), fc.nat(3), fc.nat(255), fc.integer({ min: 0, max: 32 }))
	.map(([a, b, c, d, prefix]) => `${a}.${b}.${c}.${d}/${prefix}`);
const six = fc
	.tuple(fc.nat(3), fc.nat(3), fc.nat(65_535), fc.integer({ min: 0, max: 128 }))
	.map(([a, b, c, prefix]) => `2001:${a}::${b}:${c.toString(16)}/${prefix}`);
const range = fc.oneof(four, six).map((text) => parseAddressRange(text) as AddressRange);
const single = fc
	.oneof(four, six)
	.map((text) => parseAddressRange(text.slice(0, text.indexOf("/"))) as AddressRange);

describe("listRanges()", () => {
	it("firstMeeting() finds what asking one after the other finds, and meets() whether there is one", () => {
		fc.assert(
			fc.property(fc.array(range, { maxLength: 40 }), range, (ranges, asked) => {
				const first = ranges.find((each) => rangesOverlap(each, asked));
				const list = listRanges(ranges);
				assert.equal(list.firstMeeting(spanned(asked)), first);
				assert.equal(list.meets(spanned(asked)), first !== undefined);
			}),
			runs(4_000),
		);
	});
});

describe("extentsOf()", () => {
	it("near() passes over no list that a range meets, and over those that lie elsewhere", () => {
		let passed = 0;
		fc.assert(
			fc.property(fc.array(fc.array(range, { maxLength: 8 }), { maxLength: 8 }), range, (lists, asked) => {
				const near = [...extentsOf(lists.map(listRanges)).near(spanned(asked))];
				const meeting = lists.flatMap((list, place) =>
					list.some((each) => rangesOverlap(each, asked)) ? [place] : [],
				);
				assert.deepEqual(
					meeting.filter((place) => !near.includes(place)),
					[],
				);
				assert.deepEqual(
					near,
					near.toSorted((one, other) => one - other),
				);
				passed += lists.length - near.length;
			}),
			runs(2_000),
		);
		assert.ok(passed > 100, `${passed}`);
	});
});

describe("listAddresses()", () => {
	it("within() gives the places of those in a range in their order, however many there are", () => {
		fc.assert(
			fc.property(
				fc.array(fc.option(single, { nil: undefined }), { maxLength: 40 }),
				fc.constantFrom(1, 20),
				range,
				(addresses, times, asked) => {
					const all = Array.from({ length: times }, () => addresses).flat();
					const expected = all.flatMap((each, place) =>
						each !== undefined && rangesOverlap(asked, each) ? [place] : [],
					);
					assert.deepEqual([...listAddresses(all).within(spanned(asked))], expected);
				},
			),
			runs(2_000),
		);
	});
});
