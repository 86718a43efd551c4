import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "./api.ts";
import { useControlPlane } from "./shared.ts";
import { deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const page = readFileSync(join(import.meta.dirname, "../../docs/controls.md"), "utf8");
const namespace = "controls-shop";

/** The manifests of the page, for a namespace of the test's own. */
const objects: readonly KubeObject[] = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
	.flatMap(([, text = ""]) => parseAllDocuments(text))
	.map((document) => {
		const object = document.toJS() as KubeObject;
		const { name = "" } = object.metadata;
		return object.kind === "Namespace"
			? { ...object, metadata: { ...object.metadata, name: namespace } }
			: {
					...object,
					metadata: { ...object.metadata, name, ...(object.metadata.namespace && { namespace }) },
				};
	});
const shared = objects.filter(({ kind }) => kind.startsWith("ValidatingAdmissionPolicy"));

async function tryCreate(object: object): Promise<string> {
	const { kind, apiVersion } = object as KubeObject;
	const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
	const path = await plane.api.collectionPath(`${kind}${group}`, namespace);
	const { status, body } = await plane.api.request("POST", `${path}?dryRun=All`, { body: object });
	const { message = "" } = body as { readonly message?: string };
	return status === 201 ? "created" : message;
}

function pod(metadata: object = {}, spec: object = {}): object {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name: "web", namespace, ...metadata },
		spec: { containers: [{ name: "web", image: "web" }], automountServiceAccountToken: false, ...spec },
	};
}

/** A policy holds a moment after it was written. */
async function untilRefused(object: object, message: RegExp): Promise<void> {
	let answer = "";
	for (let tries = 0; tries < 200; tries++) {
		answer = await tryCreate(object);
		if (answer !== "created") {
			break;
		}
		await sleep(100);
	}
	assert.match(answer, message);
}

describe("docs/controls.md", () => {
	before(async () => {
		await deleteNamespaces(plane, namespace);
		for (const kind of ["Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", ""]) {
			for (const object of objects.filter((each) =>
				kind === "" ? !shared.includes(each) && each.kind !== "Namespace" : each.kind === kind,
			)) {
				await plane.api.apply(object);
			}
		}
		// There is no controller that makes it.
		await plane.api.apply({
			apiVersion: "v1",
			kind: "ServiceAccount",
			metadata: { name: "default", namespace },
		} as KubeObject);
	});

	after(async () => {
		for (const { kind, metadata } of shared) {
			await plane.api.delete(kind, undefined, metadata.name ?? "");
		}
		await deleteNamespaces(plane, namespace);
	});

	test("docs/controls.md: pods that leave ambient, ask for a sidecar or use the node's network are refused", async () => {
		const out = { labels: { "istio.io/dataplane-mode": "none" } };
		await untilRefused(pod(out), /takes the pod out of ambient/);
		await untilRefused(pod({ labels: { "sidecar.istio.io/inject": "true" } }), /uses no waypoint/);
		await untilRefused(pod({ annotations: { "sidecar.istio.io/inject": "true" } }), /uses no waypoint/);
		await untilRefused(pod({ labels: { "istio.io/rev": "canary" } }), /asks for a sidecar/);
		await untilRefused(pod({}, { hostNetwork: true }), /violates PodSecurity "baseline.*hostNetwork/);
		assert.equal(await tryCreate(pod()), "created");
		assert.equal(await tryCreate(pod({ labels: { "istio.io/dataplane-mode": "ambient" } })), "created");
	});

	test("docs/controls.md: nobody but the controllers says where a Service leads", async () => {
		const slice = {
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: { name: "web-1", namespace, labels: { "kubernetes.io/service-name": "web" } },
			addressType: "IPv4",
			endpoints: [{ addresses: ["203.0.113.9"] }],
			ports: [{ port: 443 }],
		};
		await untilRefused(slice, /Only the controllers of Kubernetes/);
	});

	test("docs/controls.md: the NetworkPolicy is one that the API server accepts, and denies what it does not name", async () => {
		const policy = await plane.get("NetworkPolicy.networking.k8s.io", namespace, "default-deny");
		const { policyTypes, podSelector } = (policy?.spec ?? {}) as {
			readonly policyTypes: unknown;
			readonly podSelector: unknown;
		};
		assert.deepEqual([policyTypes, podSelector], [["Egress"], {}]);
	});
});
