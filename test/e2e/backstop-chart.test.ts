import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeObject } from "./api.ts";
import { mustHelm, render } from "./installation.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, deleteNamespaces, serviceEntry } from "./world.ts";

const plane = await useControlPlane();
const place = "backstop-release";
const team = "backstop-installed";
const values = ["--set=image.repository=waymark", "--set=istio.readConfig=false", "--set=backstop.mode=full"];
const kinds = ["ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"];

async function policyVersions(): Promise<ReadonlyMap<string, string | undefined>> {
	const found: [string, string | undefined][] = [];
	for (const kind of kinds.flatMap((each) => [each, `${each}Binding`])) {
		for (const { metadata } of await plane.api.list(kind)) {
			found.push([`${kind}/${metadata.name}`, metadata.resourceVersion as string | undefined]);
		}
	}
	return new Map(found);
}

async function isRefused(entry: KubeObject): Promise<boolean> {
	const path = await plane.api.collectionPath("ServiceEntry", team);
	const { status } = await plane.api.request("POST", `${path}?dryRun=All`, { body: entry });
	return status === 403;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
	for (const deadline = Date.now() + 20_000; !(await holds()); await sleep(100)) {
		if (Date.now() > deadline) {
			throw new Error(`Cannot see that ${what}`);
		}
	}
}

describe("backstop.mode full of the chart", () => {
	it("calls /mutate for no creation that a policy has bound, by a selector and no condition", async () => {
		interface Webhook {
			readonly name: string;
			readonly objectSelector: object;
			readonly matchConditions?: readonly object[];
		}
		for (const [mode, selector] of [
			["full", { matchExpressions: [{ key: "istio.io/use-waypoint", operator: "DoesNotExist" }] }],
			["validate", {}],
		] as const) {
			const objects = await render(plane, ...values, `--set=backstop.mode=${mode}`, "--kube-version=1.36.0");
			const mutating = objects.find(({ kind }) => kind === "MutatingWebhookConfiguration");
			const creations = ((mutating?.webhooks ?? []) as readonly Webhook[]).find(
				({ name }) => name === "mutate.waymark.dev",
			);
			assert.deepEqual(creations?.objectSelector, selector, mode);
			assert.equal(creations?.matchConditions, undefined);
		}
	});

	it("is installed and upgraded without drift, and leaves a writable cluster when the table goes first", async () => {
		await using stack = new AsyncDisposableStack();
		await plane.api.delete("CustomResourceDefinition", undefined, "meshtables.egress.waymark.dev");
		await createNamespace(plane, team, {
			labels: { "istio.io/dataplane-mode": "ambient" },
			annotations: { "egress.waymark.dev/waypoint": "istio-egress/egress" },
		});
		stack.defer(() => deleteNamespaces(plane, team, place));
		const optedOut = serviceEntry(team, "payments", "api.example.com", {
			labels: { "istio.io/use-waypoint": "none" },
		});
		await mustHelm(
			plane,
			"install",
			"waymark",
			"CHART",
			"--wait=false",
			`--namespace=${place}`,
			"--create-namespace",
			...values,
		);
		await until("the policies hold", () => isRefused(optedOut));
		const before = await policyVersions();
		assert.equal([...before.keys()].filter((name) => !name.includes("Binding")).length, 9);
		await mustHelm(
			plane,
			"upgrade",
			"waymark",
			"CHART",
			"--wait=false",
			`--namespace=${place}`,
			...values,
			"--set=replicas=2",
		);
		assert.deepEqual(await policyVersions(), before, "an upgrade that changes nothing writes no policy");
		const text = await mustHelm(
			plane,
			"template",
			"waymark",
			"CHART",
			`--namespace=${place}`,
			...values,
			"--show-only=templates/backstop.yaml",
			"--kube-version=1.36.0",
		);
		const diff = await plane.kubectl(["diff", "--filename=-"], { stdin: text });
		assert.equal(diff.code, 0, diff.stdout);
		await plane.api.delete("CustomResourceDefinition", undefined, "meshtables.egress.waymark.dev");
		assert.ok(await isRefused(optedOut), "what must hold reads no table");
		await mustHelm(plane, "uninstall", "waymark", `--namespace=${place}`);
		assert.deepEqual([...(await policyVersions()).keys()], []);
		await until("nothing is refused", async () => !(await isRefused(optedOut)));
	});

	it("leaves the policies when it is told to keep them", async () => {
		await mustHelm(
			plane,
			"install",
			"waymark",
			"CHART",
			"--wait=false",
			`--namespace=${place}`,
			"--create-namespace",
			...values,
			"--set=backstop.keep=true",
		);
		await mustHelm(plane, "uninstall", "waymark", `--namespace=${place}`);
		const left = await policyVersions();
		assert.equal(left.size, 18);
		for (const name of left.keys()) {
			const [kind = "", own = ""] = name.split("/");
			await plane.api.delete(kind, undefined, own);
		}
		await plane.api.delete("CustomResourceDefinition", undefined, "meshtables.egress.waymark.dev");
		await sleep(1_500);
		await deleteNamespaces(plane, place);
	});
});
