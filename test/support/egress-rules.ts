import assert from "node:assert/strict";
import type { Finding } from "../../src/core/finding.ts";
import type { AnyObject, Kind } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { rules } from "../../src/rules/table.ts";
import { findExample, findings } from "./rule-example.ts";

/** The rules that recognise sidecar-style egress. */
export const egressRules: readonly Rule[] = rules.filter((rule) => rule.family === "sidecar-egress");

const enforced: SettingsFile = { defaults: { ambient: "enforced" } };

/** What the sidecar-egress rules find in an object where ambient is enforced. */
export function egressFindings(
	object: AnyObject,
	given: readonly AnyObject[] = [],
	settings: SettingsFile = {},
): readonly Finding[] {
	return findings(egressRules, object, given, { settings: { ...enforced, ...settings } });
}

/** An object of networking.istio.io in the namespace shop. */
export function istio(kind: string, name: string, spec: object, namespace = "shop"): AnyObject {
	return { apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace }, spec } as AnyObject;
}

/** An object of the Gateway API in the namespace shop. */
export function gatewayApi(kind: string, name: string, spec: object, metadata: object = {}): AnyObject {
	return {
		apiVersion: "gateway.networking.k8s.io/v1",
		kind,
		metadata: { name, namespace: "shop", ...metadata },
		spec,
	} as AnyObject;
}

/** A Service of the cluster. */
export function service(name: string, namespace: string, spec: object, labels: object = {}): AnyObject {
	return { apiVersion: "v1", kind: "Service", metadata: { name, namespace, labels }, spec } as AnyObject;
}

/** Asserts that a rule's bad example is an error where ambient is enforced and an info elsewhere; its first finding. */
export function assertRefusedOnlyWhereEnforced<K extends Kind>(rule: Rule<K>): Finding {
	const [first] = findExample(rule as unknown as Rule, rule.docs.bad as AnyObject);
	assert.equal(first?.severity, "error");
	const given = (rule.docs.given ?? []).filter((object) => object.kind !== "Namespace");
	const permitted = findings([rule as unknown as Rule], rule.docs.bad as AnyObject, given);
	assert.ok(permitted.length > 0);
	assert.ok(permitted.every((finding) => finding.severity === "info"));
	return first;
}
