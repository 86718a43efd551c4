import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { KubeObject } from "./api.ts";
import type { ProcessGroup } from "./processes.ts";
import { createProcessGroup } from "./processes.ts";
import type { ServeReplica, ServeReplicas } from "./serve-replicas.ts";
import { installed, startServeReplicas } from "./serve-replicas.ts";
import { useControlPlane } from "./shared.ts";
import { untilFound } from "./until-found.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry } from "./world.ts";

const plane = await useControlPlane();
const egress = "adopt-egress";
const shop = "adopt-shop";
const main = join(import.meta.dirname, "../../src/main.ts");

interface Outcome {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

function waymark(...args: readonly string[]): Promise<Outcome> {
	return new Promise((resolve) => {
		execFile(process.execPath, [main, ...args, "--kubeconfig", plane.kubeconfig], (error, stdout, stderr) => {
			resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
		});
	});
}

const annotate = (values: Readonly<Record<string, string>>): Promise<KubeObject> =>
	plane.api.patch("Namespace", undefined, shop, {
		metadata: {
			annotations: Object.fromEntries(
				Object.entries(values).map(([name, value]) => [`egress.waymark.dev/${name}`, value]),
			),
		},
	});

const wild = serviceEntry(shop, "wild", "*.adopt.example.org", { spec: { resolution: "NONE" } });
const oldWay: KubeObject = {
	apiVersion: "networking.istio.io/v1",
	kind: "Gateway",
	metadata: { namespace: shop, name: "old-way" },
	spec: {
		selector: { istio: "egressgateway" },
		servers: [
			{
				port: { number: 443, name: "tls", protocol: "TLS" },
				hosts: ["old.adopt.example.com"],
				tls: { mode: "PASSTHROUGH" },
			},
		],
	},
};
const optOut = { "istio.io/use-waypoint": "none" };
const impactLine = /^adopt-shop +(\S.*?) {2,}(\d+) +(\d+)$/m;

// What docs/adopt.md shows, stage by stage; each stands on the one before.
describe("adopting Waymark in a cluster full of old egress", { timeout: 300_000 }, () => {
	let group: ProcessGroup;
	let served: ServeReplicas;
	let replica: ServeReplica | undefined;

	const ready = async (): Promise<string> => (await fetch(`${replica?.operations}/readyz?verbose`)).text();
	const serve = async (mode: string, backfill: string): Promise<void> => {
		// Whoever is killed keeps the Lease until it has run out.
		await replica?.stop("SIGTERM");
		await served?.stop();
		const config = join(group.folder, "config.yaml");
		await writeFile(config, `defaults: {mode: ${mode}}\nmetrics: {namespaces: [${shop}]}\n`);
		served = await startServeReplicas(plane, group, {
			count: 1,
			args: ["--audit", `--backfill=${backfill}`, `--config=${config}`],
			values: [`audit.backfill=${backfill}`],
		});
		replica = served.replicas[0];
	};

	before(async () => {
		group = await createProcessGroup();
		await createNamespace(plane, egress, { labels: { "istio.io/dataplane-mode": "ambient" } });
		await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
		await createNamespace(plane, shop, { labels: { "istio.io/dataplane-mode": "ambient" } });
		for (const name of ["one", "two"]) {
			await plane.api.apply(serviceEntry(shop, name, `${name}.adopt.example.com`));
		}
		await plane.api.apply(wild);
		await plane.api.apply(serviceEntry(shop, "out", "out.adopt.example.com", { labels: optOut }));
	});

	after(async () => {
		await served?.stop();
		await group.stop();
		await deleteNamespaces(plane, shop, egress);
	});

	it("1. lint --cluster --assume says, by namespace, what a switch would refuse", async () => {
		const nothing = join(group.folder, "before.yaml");
		await writeFile(nothing, "defaults: {mode: off}\n");
		const { stdout } = await waymark(
			...["lint", "--cluster", "--config", nothing],
			...["--assume", "ambient=enforced", "--assume", "mode=enforce"],
		);
		const [, mode, now, assumed] = impactLine.exec(stdout) ?? [];
		assert.deepEqual([mode, now], ["off → enforce", "0"], stdout.slice(-1000));
		assert.ok(Number(assumed) >= 1);
		await annotate({ mode: "warn" });
	});

	it("3. installed with warn it refuses nothing, and says what it finds", async () => {
		await serve("warn", "report");
		const { code, stderr } = await plane.tryApply([
			serviceEntry(shop, "three", "three.adopt.example.com", { labels: optOut }),
		]);
		assert.equal(code, 0, stderr);
		assert.match(stderr, /Warning: .*serviceentry-waypoint-opt-out/);
		await plane.api.delete("ServiceEntry", shop, "three");
	});

	it("4. with a waypoint named, a new entry is bound and an old one is not", async () => {
		await annotate({ waypoint: `${egress}/waypoint` });
		const made = await untilFound("the annotation is known", async () => {
			await plane.api.delete("ServiceEntry", shop, "four");
			const entry = await plane.api.apply(serviceEntry(shop, "four", "four.adopt.example.com"));
			return entry.metadata.labels?.["istio.io/use-waypoint"] === undefined ? undefined : entry;
		});
		assert.equal(made.metadata.labels?.["istio.io/use-waypoint-namespace"], egress);
		const old = await plane.get("ServiceEntry", shop, "one");
		assert.equal(old?.metadata.labels?.["istio.io/use-waypoint"], undefined);
	});

	it("5. backfilling counts with report, and with apply binds what is there by the labels alone", async () => {
		await untilFound("two entries are to be bound", async () =>
			(await ready()).includes("backfill: reporting, 2 to bind"),
		);
		const user = `system:serviceaccount:${installed.namespace}:${installed.name}`;
		const canPatch = async (): Promise<string> =>
			(
				await plane.kubectl([
					"auth",
					"can-i",
					"patch",
					"serviceentries.networking.istio.io",
					"-n",
					shop,
					"--as",
					user,
				])
			).stdout.trim();
		assert.equal(await canPatch().catch(() => "no"), "no");
		await serve("warn", "apply");
		assert.equal(await canPatch(), "yes");
		await untilFound("nothing is left to bind", async () =>
			(await ready()).includes("backfill: done, 0 to bind, 2 bound"),
		);
		for (const name of ["one", "two"]) {
			assert.equal((await plane.istiod.waypointBound(shop, name))?.status, "True");
			const managers = (await plane.get("ServiceEntry", shop, name))?.metadata.managedFields as readonly {
				readonly manager: string;
				readonly fieldsV1: unknown;
			}[];
			const own = managers.find(({ manager }) => manager === "waymark-backfill");
			assert.deepEqual(own?.fieldsV1, {
				"f:metadata": {
					"f:labels": { "f:istio.io/use-waypoint": {}, "f:istio.io/use-waypoint-namespace": {} },
				},
			});
		}
		const left = await plane.get("ServiceEntry", shop, "wild");
		assert.equal(left?.metadata.labels?.["istio.io/use-waypoint"], undefined, "it would still break a rule");
	});

	it("6. exemptions --write excuses what is left, and an Event says when that ends", async () => {
		const until3 = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
		const { stdout } = await waymark(
			...[
				"exemptions",
				"--write",
				"--cluster",
				"--until",
				until3,
				"--reason",
				"as it was",
				"--ticket",
				"EG-7",
			],
		);
		const written = stdout.split("---\n").find((text) => text.includes(`name: ${shop}\n`)) ?? "";
		assert.match(written, /exempt\.serviceentry-/);
		const file = join(group.folder, "exemptions.yaml");
		await writeFile(file, written);
		await plane.kubectl(["apply", "--server-side", "--field-manager=waymark-exemptions", "-f", file]);
		const findings = JSON.parse((await waymark("lint", "--cluster", "--output", "json")).stdout) as {
			readonly findings: readonly {
				readonly severity: string;
				readonly object: { readonly namespace: string | null };
			}[];
		};
		assert.deepEqual(
			findings.findings.filter(({ severity, object }) => severity === "error" && object.namespace === shop),
			[],
		);
		await serve("warn", "report");
		const metrics = await untilFound("the metric counts it", async () => {
			const text = await (await fetch(`${replica?.operations}/metrics`)).text();
			return /waymark_audit_exemptions\{left="14 days"\} [1-9]/.test(text) ? text : undefined;
		});
		assert.match(
			metrics,
			/waymark_audit_namespace_findings\{namespace="adopt-shop",severity="warning"\} [1-9]/,
		);
		const told = async (): Promise<readonly KubeObject[]> =>
			(await plane.api.list("Event.events.k8s.io", shop)).filter(({ reason }) => reason === "ExemptionEnds");
		await untilFound("the Event is there", async () => (await told()).length === 1);
		assert.match(String((await told())[0]?.note), /in 3 days/);
	});

	it("7. enforced, a new mistake is refused, and what is there can still be edited", async () => {
		await annotate({ mode: "enforce" });
		const { code, stderr } = await untilFound("a mistake is refused", async () => {
			const result = await plane.tryApply([oldWay]);
			return result.code === 0 ? undefined : result;
		});
		assert.equal(code, 1);
		assert.match(stderr, /istiogateway-egress-selector/);
		await plane.api.apply({ ...wild, metadata: { ...wild.metadata, annotations: { edited: "yes" } } });
	});

	it("8. with everything as the default says, the assumption changes nothing there any more", async () => {
		const { stdout } = await waymark("lint", "--cluster", "--assume", "mode=enforce");
		assert.doesNotMatch(stdout, impactLine);
	});
});
