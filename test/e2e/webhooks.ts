import { setTimeout as sleep } from "node:timers/promises";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";

/** What the API server is told about a webhook server. */
export interface WebhookOptions {
	/** `https://127.0.0.1:PORT`; `/mutate` and `/validate` are added. */
	readonly url: string;
	/** The authority of the server's certificate, PEM. */
	readonly ca: string;
	/** Names both configurations; "waymark-e2e" unless told. */
	readonly name?: string;
	/** Only requests for these namespaces; without it, all but kube-* and istio-system. */
	readonly namespaces?: readonly string[];
	/** "Ignore" unless told. */
	readonly mutateFailurePolicy?: "Ignore" | "Fail";
	/** "Fail" unless told. */
	readonly validateFailurePolicy?: "Ignore" | "Fail";
	/** 5 unless told. */
	readonly timeoutSeconds?: number;
	/** Deletions are reviewed by `/validate`, too. */
	readonly deletions?: true;
}

// The kinds that Waymark judges, whatever their version, and the subresources by which annotations can be written.
const rules = [
	{
		apiGroups: ["networking.istio.io"],
		resources: [
			"serviceentries",
			"workloadentries",
			"gateways",
			"virtualservices",
			"destinationrules",
			"sidecars",
			"envoyfilters",
		],
	},
	{
		apiGroups: ["gateway.networking.k8s.io"],
		resources: ["gateways", "httproutes", "grpcroutes", "tlsroutes", "tcproutes", "backendtlspolicies"],
	},
	{ apiGroups: ["security.istio.io"], resources: ["authorizationpolicies", "requestauthentications"] },
	{ apiGroups: ["extensions.istio.io"], resources: ["wasmplugins", "trafficextensions"] },
	{ apiGroups: ["telemetry.istio.io"], resources: ["telemetries"] },
	{ apiGroups: ["istio.alibabacloud.com"], resources: ["asmegresstrafficpolicies"] },
	{ apiGroups: [""], resources: ["namespaces", "namespaces/status", "namespaces/finalize", "services"] },
].map((rule) => ({ ...rule, apiVersions: ["*"], operations: ["CREATE", "UPDATE"], scope: "*" }));

/**
 * Registers a webhook server by URL, waits until the API server calls it, and returns the function that undoes it.
 *
 * The undoing waits too: after it, no request meets the webhooks.
 */
export async function registerWebhooks(
	plane: ControlPlane,
	options: WebhookOptions,
): Promise<() => Promise<void>> {
	const name = options.name ?? "waymark-e2e";
	const configurations = [
		configuration("MutatingWebhookConfiguration", name, options),
		configuration("ValidatingWebhookConfiguration", name, options),
	];
	await Promise.all(configurations.map((each) => plane.api.apply(each)));
	await waitForProbes(plane, name, true);
	return async () => {
		for (const { kind } of configurations) {
			await plane.api.delete(kind, undefined, name);
		}
		await waitForProbes(plane, name, false);
	};
}

function configuration(
	kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
	name: string,
	options: WebhookOptions,
): KubeObject {
	const mutating = kind === "MutatingWebhookConfiguration";
	const common = {
		admissionReviewVersions: ["v1"],
		sideEffects: "None",
		matchPolicy: "Equivalent",
		timeoutSeconds: options.timeoutSeconds ?? 5,
	};
	return {
		apiVersion: "admissionregistration.k8s.io/v1",
		kind,
		metadata: { name },
		webhooks: [
			{
				...common,
				name: mutating ? "mutate.waymark.dev" : "validate.waymark.dev",
				clientConfig: {
					url: `${options.url}${mutating ? "/mutate" : "/validate"}`,
					caBundle: Buffer.from(options.ca).toString("base64"),
				},
				rules:
					options.deletions === true && !mutating
						? rules.map((rule) => ({ ...rule, operations: [...rule.operations, "DELETE"] }))
						: rules,
				failurePolicy: mutating
					? (options.mutateFailurePolicy ?? "Ignore")
					: (options.validateFailurePolicy ?? "Fail"),
				namespaceSelector: { matchExpressions: [namespaceExpression(options.namespaces)] },
			},
			{
				...common,
				name: probeName(mutating),
				// Nobody listens there: a request that fails because of it shows that this configuration is in force.
				clientConfig: { url: "https://127.0.0.1:1/" },
				rules: [
					{
						apiGroups: [""],
						apiVersions: ["v1"],
						resources: ["configmaps"],
						operations: ["CREATE"],
						scope: "Namespaced",
					},
				],
				failurePolicy: "Fail",
				objectSelector: { matchLabels: { [probeName(mutating)]: name } },
			},
		],
	};
}

function namespaceExpression(namespaces: readonly string[] | undefined): object {
	const key = "kubernetes.io/metadata.name";
	return namespaces === undefined
		? { key, operator: "NotIn", values: ["kube-system", "kube-public", "kube-node-lease", "istio-system"] }
		: { key, operator: "In", values: namespaces };
}

function probeName(mutating: boolean): string {
	return mutating ? "mutate.probe.waymark.dev" : "validate.probe.waymark.dev";
}

/** The API server learns of a configuration by watch, a moment after it was written. */
async function waitForProbes(plane: ControlPlane, name: string, called: boolean): Promise<void> {
	const deadline = Date.now() + 20_000;
	for (const mutating of [true, false]) {
		const probe = {
			apiVersion: "v1",
			kind: "ConfigMap",
			metadata: { generateName: "probe-", namespace: "default", labels: { [probeName(mutating)]: name } },
		};
		for (;;) {
			const body = JSON.stringify(probe);
			const path = "/api/v1/namespaces/default/configmaps?dryRun=All";
			const answer = await plane.api.request("POST", path, { body });
			if (
				JSON.stringify(answer.body).includes(`failed calling webhook \\"${probeName(mutating)}\\"`) === called
			) {
				break;
			}
			if (Date.now() > deadline) {
				throw new Error(
					`Cannot ${called ? "register" : "remove"} the webhooks of ${name}: not in force after 20 s`,
				);
			}
			await sleep(20);
		}
	}
}
