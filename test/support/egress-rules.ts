import type { Finding } from "../../src/core/finding.ts";
import type { AnyObject, Kind } from "../../src/core/kinds.ts";
import type { Rule } from "../../src/core/rule.ts";
import type { SettingsFile } from "../../src/core/settings.ts";
import { rules } from "../../src/rules/table.ts";
import { findings } from "./rule-example.ts";
import type { RuleCase } from "./test-rule.ts";

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

/** A rule's bad example is an error where ambient is enforced, and an info elsewhere. */
export function refusedWhereEnforced<K extends Kind>(rule: Rule<K>, path: string): readonly RuleCase[] {
	const { bad: object, given = [] } = rule.docs;
	const elsewhere = given.filter(({ kind }) => kind !== "Namespace");
	return [
		{ object, finds: [`error ${path}`] },
		{ object, given: elsewhere, finds: [`info ${path}`] },
	];
}
