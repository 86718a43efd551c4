import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiServer } from "../../../src/kube/client/api-writes.ts";
import type { LeaseKeeper } from "../../../src/kube/install/lease.ts";
import { keepLease } from "../../../src/kube/install/lease.ts";
import { startObjectServer } from "../../support/object-server.ts";

const path = "/apis/coordination.k8s.io/v1/namespaces/waymark-system/leases/waymark-audit";
const times = { durationMs: 1000, renewWithinMs: 400, tryMs: 50 };
const quiet = { info: () => {}, warn: () => {} };

/** A replica that wants the Lease, and when it worked. */
function replica(
	context: TestContext,
	api: ApiServer,
	identity: string,
): { readonly keeper: LeaseKeeper; readonly spells: AbortSignal[] } {
	const spells: AbortSignal[] = [];
	const keeper = keepLease({
		api,
		namespace: "waymark-system",
		name: "waymark-audit",
		identity,
		log: quiet,
		times,
		whileHeld: (signal) => spells.push(signal),
	});
	context.after(() => keeper.stop());
	return { keeper, spells };
}

async function until(isSo: () => boolean, what: string): Promise<void> {
	const deadline = Date.now() + 5000;
	while (!isSo()) {
		assert.ok(Date.now() < deadline, what);
		await sleep(10);
	}
}

const holderOf = (object: unknown): unknown =>
	(object as { readonly spec?: { readonly holderIdentity?: string } } | undefined)?.spec?.holderIdentity;

describe("keepLease()", () => {
	test("one of two replicas works, and the other begins at once when the first stops", async (context) => {
		const server = await startObjectServer(context);
		const one = replica(context, server.api, "one");
		await until(() => one.keeper.isHeld(), "nobody holds it");
		const two = replica(context, server.api, "two");
		await sleep(300);
		assert.equal(two.spells.length, 0);
		assert.equal(two.keeper.holder(), "one");
		await one.keeper.stop();
		assert.equal(one.spells[0]?.aborted, true);
		assert.equal(holderOf(server.get(path)), "");
		await until(() => two.keeper.isHeld(), "the second replica never takes it");
		assert.equal(holderOf(server.get(path)), "two");
	});

	test("a holder that was killed is followed after the duration, not before, whatever its clock said", async (context) => {
		const server = await startObjectServer(context);
		server.set(path, {
			metadata: { name: "waymark-audit", namespace: "waymark-system" },
			// A renewal that lies in the future: another machine's clock is not believed.
			spec: { holderIdentity: "dead", leaseDurationSeconds: 1, renewTime: "2099-01-01T00:00:00.000000Z" },
		});
		const began = performance.now();
		const one = replica(context, server.api, "one");
		await until(() => one.keeper.isHeld(), "a dead holder is never followed");
		assert.ok(performance.now() - began >= 1000, `${performance.now() - began} ms`);
	});

	test("the holder stops its work when the API server is away, before others may begin", async (context) => {
		const server = await startObjectServer(context);
		const one = replica(context, server.api, "one");
		await until(() => one.keeper.isHeld(), "nobody holds it");
		let isAway = true;
		// No answer at all: the worst of faults.
		server.intercept(() => (isAway ? new Promise<never>(() => {}) : null));
		const began = performance.now();
		await until(() => one.spells[0]?.aborted === true, "the work goes on without a Lease");
		assert.ok(performance.now() - began < times.durationMs);
		isAway = false;
		server.intercept(() => null);
		await until(() => one.spells.length === 2, "the work never begins again");
	});

	test("the holder stops its work when somebody else has taken the Lease", async (context) => {
		const server = await startObjectServer(context);
		const one = replica(context, server.api, "one");
		await until(() => one.keeper.isHeld(), "nobody holds it");
		const metadata = server.get(path)?.metadata;
		server.set(path, { metadata, spec: { holderIdentity: "thief", leaseDurationSeconds: 3600 } });
		await until(() => one.spells[0]?.aborted === true, "two work at once");
		assert.equal(one.keeper.isHeld(), false);
		assert.equal(one.keeper.holder(), "thief");
	});

	test("a Lease that may not be written is asked for again, and said once", async (context) => {
		const server = await startObjectServer(context);
		server.intercept((seen) =>
			seen.method === "POST"
				? { status: 403, body: { kind: "Status", reason: "Forbidden", message: "no" } }
				: null,
		);
		let warnings = 0;
		const keeper = keepLease({
			api: server.api,
			namespace: "waymark-system",
			name: "waymark-audit",
			identity: "one",
			log: { info: () => {}, warn: () => warnings++ },
			times,
			whileHeld: () => assert.fail("works without a Lease"),
		});
		context.after(() => keeper.stop());
		await until(
			() => server.seen.filter(({ method }) => method === "POST").length > 3,
			"it is not tried again",
		);
		assert.equal(warnings, 1);
	});
});
