import assert from "node:assert/strict";
import { test } from "node:test";
import { createAuthority, issueCertificate } from "../../../src/certificates/authority.ts";
import { verificationFault } from "../../../src/certificates/inspect.ts";
import { nextStep } from "../../../src/kube/install/authority-state.ts";

const hour = 3_600_000;

test("nextStep() switches to no CA that has not begun yet, however long it has been published", async () => {
	const start = new Date("2026-06-01T12:00:00Z");
	const signing = await createAuthority({ now: start });
	const next = await createAuthority({ now: new Date(start.getTime() + 3 * hour) });
	const kindAt = async (now: Date, ownNow = now): Promise<string> => {
		const state = { signing, next, retired: "", retiredUntil: null };
		const found = { state, faults: [], salvaged: "", salvagedNext: null, rotateRequested: false };
		const rest = { remembered: state, served: null, live: [signing.cert, next.cert], nextIsPublished: true };
		const createNone = () => Promise.reject(new Error("no CA is due"));
		return (await nextStep({ now, ownNow, found, ...rest, retentionMs: hour, createAuthority: createNone }))
			.kind;
	};
	assert.equal(await kindAt(start), "none");
	const begun = new Date(start.getTime() + 4 * hour);
	assert.equal(await kindAt(begun), "switched");
	assert.equal(await kindAt(start, begun), "none", "to the API server it has not begun");
	assert.equal(await kindAt(begun, start), "none", "nor to a replica whose clock is behind");
});

test("verificationFault() names a CA that is not valid yet instead of denying that it signed", async () => {
	const ahead = new Date("2026-06-01T15:00:00Z");
	const authority = await createAuthority({ now: ahead });
	const lifetimeMs = 24 * hour;
	const leaf = await issueCertificate(authority, { now: ahead, names: ["localhost"], lifetimeMs });
	const now = new Date("2026-06-01T12:00:00Z");
	const fault = verificationFault(leaf.cert, { now, bundle: authority.cert });
	assert.match(fault ?? "", /is not valid before 2026-06-01T1[45]/);
	const lenient = await issueCertificate(authority, {
		now: new Date("2026-05-30T12:00:00Z"),
		names: ["localhost"],
		lifetimeMs: 90 * 24 * hour,
	});
	assert.match(
		verificationFault(lenient.cert, { now, bundle: authority.cert }) ?? "",
		/^the CA that signed it is not valid before /,
	);
});
