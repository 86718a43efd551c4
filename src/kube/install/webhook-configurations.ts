import { fingerprints } from "../../certificates/inspect.ts";
import type { ApiRequest, ApiServer } from "../client/api-writes.ts";
import { fieldManager, readObject } from "../client/api-writes.ts";

/** One of Waymark's webhook configurations. */
export interface WebhookConfigurationRef {
	readonly kind: "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration";
	readonly name: string;
}

/** One webhook of a configuration, as far as we read or write it. */
export interface Webhook {
	readonly name: string;
	readonly failurePolicy?: string | null | undefined;
	readonly clientConfig: { readonly caBundle?: string | null | undefined };
}

/** Which fields a manager owns (metav1.ManagedFieldsEntry), as far as we read it. */
interface ManagedFields {
	readonly manager?: string | undefined;
	readonly fieldsV1?: unknown;
}

/** A configuration as it is in the cluster; unknown fields ride along untouched. */
export interface WebhookConfiguration {
	readonly metadata: {
		readonly resourceVersion?: string | undefined;
		readonly annotations?: Readonly<Record<string, string>> | null | undefined;
		readonly managedFields?: readonly ManagedFields[] | null | undefined;
	};
	readonly webhooks?: readonly Webhook[] | null | undefined;
}

/** Reads a configuration in its newest state, or `null` when it is not installed. */
export async function readConfiguration(
	api: ApiServer,
	ref: WebhookConfigurationRef,
	options: ApiRequest = {},
): Promise<WebhookConfiguration | null> {
	// The shape is the API server's own (admissionregistration.k8s.io/v1), which validates it on every write.
	return (await readObject(api, pathOf(ref), options)) as WebhookConfiguration | null;
}

/** Writes a configuration back; fails with 409 when it has changed since it was read. */
export async function writeConfiguration(
	api: ApiServer,
	ref: WebhookConfigurationRef,
	configuration: WebhookConfiguration,
	options: ApiRequest = {},
): Promise<WebhookConfiguration> {
	const request = { ...options, query: { fieldManager }, body: configuration };
	return (await api.request("PUT", pathOf(ref), request)) as WebhookConfiguration;
}

/** The CA bundles of a configuration's webhooks as PEM; "" where there is none. */
export function bundlesOf(configuration: WebhookConfiguration): readonly string[] {
	return (configuration.webhooks ?? []).map(({ clientConfig }) =>
		Buffer.from(clientConfig.caBundle ?? "", "base64").toString("utf8"),
	);
}

/** The configuration with this CA bundle in every webhook, or `null` when each has just these certificates already. */
export function withBundle(configuration: WebhookConfiguration, bundle: string): WebhookConfiguration | null {
	const wanted = new Set(fingerprints(bundle));
	const isWanted = (live: string): boolean => {
		const certificates = new Set(fingerprints(live));
		return certificates.size === wanted.size && certificates.isSubsetOf(wanted);
	};
	if (bundlesOf(configuration).every(isWanted)) {
		return null;
	}
	const caBundle = Buffer.from(bundle, "utf8").toString("base64");
	return {
		...configuration,
		webhooks: (configuration.webhooks ?? []).map((webhook) => ({
			...webhook,
			clientConfig: { ...webhook.clientConfig, caBundle },
		})),
	};
}

/** The configuration with this failure policy in every webhook but some, or `null` when all of them have it. */
export function withPolicy(
	configuration: WebhookConfiguration,
	policy: "Fail" | "Ignore",
	except: readonly string[],
): WebhookConfiguration | null {
	const isOther = ({ name, failurePolicy }: Webhook): boolean =>
		!except.includes(name) && failurePolicy !== policy;
	if (!(configuration.webhooks ?? []).some(isOther)) {
		return null;
	}
	return {
		...configuration,
		webhooks: (configuration.webhooks ?? []).map((webhook) =>
			isOther(webhook) ? { ...webhook, failurePolicy: policy } : webhook,
		),
	};
}

/**
 * The configuration without our claim on `failurePolicy`, or `null` when we make none. With the claim, Helm's
 * server-side apply of an older revision, which says `Ignore`, would be a conflict: `helm rollback` would fail.
 */
export function withoutPolicyClaim(configuration: WebhookConfiguration): WebhookConfiguration | null {
	let claimed = false;
	const managedFields = configuration.metadata.managedFields?.map((entry) => {
		if (entry.manager !== fieldManager) {
			return entry;
		}
		const fieldsV1 = JSON.parse(JSON.stringify(entry.fieldsV1 ?? {}), (key, value: unknown) => {
			claimed ||= key === "f:failurePolicy";
			return key === "f:failurePolicy" ? undefined : value;
		});
		return { ...entry, fieldsV1 };
	});
	return claimed ? { ...configuration, metadata: { ...configuration.metadata, managedFields } } : null;
}

function pathOf({ kind, name }: WebhookConfigurationRef): string {
	const plural =
		kind === "ValidatingWebhookConfiguration"
			? "validatingwebhookconfigurations"
			: "mutatingwebhookconfigurations";
	return `/apis/admissionregistration.k8s.io/v1/${plural}/${encodeURIComponent(name)}`;
}
