import assert from "node:assert/strict";
import { it } from "node:test";
import { plainEntry } from "../../../src/rules/examples.ts";
import { serviceentryAddressForm } from "../../../src/rules/validity/serviceentry-address-form.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-address-form reads addresses as Go does", () => {
	const entry = {
		...plainEntry,
		spec: { addresses: ["fe80::1%eth0", "::ffff:1.2.3.4", "1.2.3.4/24", "fe80::1%a/b/c"] },
	};
	assert.deepEqual(spots(serviceentryAddressForm, entry), []);
});

it("serviceentry-address-form refuses leading zeros, zones in blocks and names", () => {
	const entry = {
		...plainEntry,
		spec: { addresses: ["01.2.3.4", "1.2.3.4/024", "fe80::1%eth0/64", "a.com", "1.2.3.4/1/2", ""] },
	};
	assert.deepEqual(
		spots(serviceentryAddressForm, entry),
		[0, 1, 2, 3, 4, 5].map((index) => `error spec.addresses[${index}]`),
	);
});
