import assert from "node:assert/strict";
import { test } from "node:test";
import { keepWhole, projectionOf } from "../../../src/kube/watch/projection.ts";

test("projectionOf() keeps what rules read and drops the rest", () => {
	const project = projectionOf("ServiceEntry", keepWhole());
	const kept = project(
		{
			metadata: {
				name: "x",
				namespace: "a",
				labels: { app: "x" },
				annotations: {
					"kubectl.kubernetes.io/last-applied-configuration": "{}",
					"egress.waymark.dev/mode": "warn",
					"networking.istio.io/enable-autoallocate-ip": "false",
					"evil-istio.io/x": "no",
				},
				managedFields: [{ manager: "kubectl" }],
				ownerReferences: [],
				resourceVersion: "7",
			},
			spec: { hosts: ["a.example"], location: null, ports: [{ number: 443, name: "tls", extra: 1 }] },
			extra: true,
		},
		"v1",
	);
	assert.deepEqual(kept, {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		metadata: {
			name: "x",
			namespace: "a",
			labels: { app: "x" },
			annotations: {
				"egress.waymark.dev/mode": "warn",
				"networking.istio.io/enable-autoallocate-ip": "false",
			},
			resourceVersion: "7",
		},
		spec: { hosts: ["a.example"], ports: [{ number: 443, name: "tls" }] },
	});
});

test("projectionOf() names the kind of a PartialObjectMetadata and of a list item without one", () => {
	const project = projectionOf("Namespace", keepWhole());
	const raw = { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: { name: "a" } };
	assert.deepEqual(project(raw, "v1"), { apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } });
	assert.deepEqual(project({ metadata: { name: "a" } }, "v1")?.kind, "Namespace");
});

test("projectionOf() gives nothing for what is no object", () => {
	const project = projectionOf("Namespace", keepWhole());
	for (const raw of [
		null,
		1,
		"x",
		[],
		{},
		{ metadata: null },
		{ metadata: { name: "" } },
		{ metadata: { name: 1 } },
	]) {
		assert.equal(project(raw, "v1"), undefined, JSON.stringify(raw));
	}
});
