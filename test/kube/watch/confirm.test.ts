import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "../../../src/kube/client/connection.ts";
import { connect } from "../../../src/kube/client/connection.ts";
import type { Confirmer } from "../../../src/kube/watch/confirm.ts";
import { createConfirmer } from "../../../src/kube/watch/confirm.ts";
import { answer, FakeApiServer, failure } from "../../support/fake-api-server.ts";

const group = "gateway.networking.k8s.io";

describe("confirmer", () => {
	let server: FakeApiServer;
	let connection: Connection;
	let offered: unknown[];
	let discarded: string[];

	beforeEach(async () => {
		server = new FakeApiServer();
		server.install(group, "gateways", ["v1"]);
		server.install("", "namespaces", ["v1"]);
		await server.listen();
		connection = connect(server.credentials());
		offered = [];
		discarded = [];
	});

	afterEach(async () => {
		await connection.stop();
		await server.stop();
	});

	function create(options: { deadlineMs?: number; concurrency?: number; version?: string } = {}): Confirmer {
		return createConfirmer({
			connection,
			feed: {
				version: () => options.version,
				offer(_, raw) {
					offered.push(raw);
					return true;
				},
				discard: (kind, namespace, name) => discarded.push(`${kind} ${namespace}/${name}`),
			},
			deadlineMs: options.deadlineMs ?? 400,
			concurrency: options.concurrency ?? 8,
		});
	}

	test("confirm() finds an object, projects it and offers it to the world", async () => {
		server.put(group, "gateways", { metadata: { name: "waypoint", namespace: "egress", managedFields: [] } });
		const { confirm } = create({ version: "v1" });
		const answered = await confirm("KubernetesGateway", "egress", "waypoint");
		assert.equal(answered.status, "present");
		assert.ok(answered.status === "present" && !("managedFields" in (answered.object.metadata ?? {})));
		assert.equal(offered.length, 1);
		assert.equal(server.requests[0], `GET /apis/${group}/v1/namespaces/egress/gateways/waypoint`);
	});

	test("confirm() says absent for a missing object, a missing namespace and a kind that is not served", async () => {
		const { confirm, counts } = create();
		assert.deepEqual(await confirm("KubernetesGateway", "egress", "waypoint"), { status: "absent" });
		assert.deepEqual(await confirm("Namespace", "", "egress"), { status: "absent" });
		assert.deepEqual(await confirm("ServiceEntry", "a", "x"), { status: "absent" });
		assert.deepEqual(counts(), { present: 0, absent: 3, unconfirmed: 0 });
		assert.deepEqual(discarded, [
			"KubernetesGateway egress/waypoint",
			"Namespace /egress",
			"ServiceEntry a/x",
		]);
	});

	test("confirm() says why it could not confirm", async () => {
		const { confirm } = create({ deadlineMs: 100, version: "v1" });
		server.fault = (_, response) => {
			answer(response, 403, failure(403, "Forbidden", "gateways is forbidden"));
			return true;
		};
		const forbidden = await confirm("KubernetesGateway", "egress", "waypoint");
		assert.deepEqual(forbidden, { status: "unconfirmed", reason: "gateways is forbidden" });
		server.fault = () => true;
		const start = performance.now();
		const late = await confirm("KubernetesGateway", "egress", "waypoint");
		assert.deepEqual(late, { status: "unconfirmed", reason: "the API server did not answer within 100 ms" });
		assert.ok(performance.now() - start < 300);
	});

	test("confirm() sends one read for all who ask at once, and never answers from a read that was sent before", async () => {
		const { confirm } = create({ version: "v1" });
		let held: (() => void) | undefined;
		server.fault = (_, response) => {
			if (held !== undefined) {
				return false;
			}
			held = () => answer(response, 404, failure(404, "NotFound", "not found"));
			return true;
		};
		const early = [
			confirm("KubernetesGateway", "egress", "waypoint"),
			confirm("KubernetesGateway", "egress", "waypoint"),
		];
		while (held === undefined) {
			await sleep(1);
		}
		server.put(group, "gateways", { metadata: { name: "waypoint", namespace: "egress" } });
		const late = [1, 2, 3, 4].map(() => confirm("KubernetesGateway", "egress", "waypoint"));
		held();
		assert.deepEqual(
			(await Promise.all(early)).map(({ status }) => status),
			["absent", "absent"],
		);
		assert.deepEqual(
			(await Promise.all(late)).map(({ status }) => status),
			["present", "present", "present", "present"],
		);
		assert.equal(server.requests.length, 2);
	});

	test("confirm() keeps its reads few at a time, and gives up on those that would come too late", async () => {
		let open = 0;
		let most = 0;
		server.fault = (_, response) => {
			open++;
			most = Math.max(most, open);
			setTimeout(() => {
				open--;
				answer(response, 404, failure(404, "NotFound", "not found"));
			}, 40);
			return true;
		};
		const { confirm } = create({ concurrency: 3, deadlineMs: 200, version: "v1" });
		const answers = await Promise.all(
			Array.from({ length: 60 }, (_, i) => confirm("KubernetesGateway", "egress", `waypoint-${i}`)),
		);
		assert.equal(most, 3);
		assert.ok(answers.some(({ status }) => status === "absent"));
		assert.ok(answers.some(({ status }) => status === "unconfirmed"));
		await sleep(100);
		assert.ok(server.requests.length < 30, `${server.requests.length} reads were sent`);
	});

	test("confirm() stops waiting when its caller does", async () => {
		server.fault = () => true;
		const { confirm } = create({ deadlineMs: 300 });
		assert.equal((await confirm("Namespace", "", "a", AbortSignal.timeout(10))).status, "unconfirmed");
		assert.equal((await confirm("Namespace", "", "b", AbortSignal.abort())).status, "unconfirmed");
	});
});
