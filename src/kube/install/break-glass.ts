import { quote } from "../../core/finding.ts";
import type { ApiRequest, ApiServer } from "../client/api-writes.ts";
import { readObject, statusOf } from "../client/api-writes.ts";
import type { WebhookConfiguration } from "./webhook-configurations.ts";

/** The annotation on the validating webhook configuration by which a person keeps it from `Fail` (break-glass). */
export const holdAnnotation = "egress.waymark.dev/failure-policy";

/**
 * The ConfigMap in Waymark's own namespace that does the same: no release contains it, so no GitOps controller takes it
 * away, whatever it puts back in the webhook configuration.
 */
export const breakGlassConfigMap = "waymark-break-glass";

/** Says by what the glass is broken, and why where somebody wrote a `reason`; `null` while it is whole. */
export async function brokenGlass(
	api: ApiServer,
	namespace: string,
	configuration: WebhookConfiguration | null,
	exchange: ApiRequest,
): Promise<string | null> {
	if (configuration?.metadata.annotations?.[holdAnnotation] === "Ignore") {
		return `the annotation ${holdAnnotation} keeps it at Ignore`;
	}
	const configMap = await readConfigMap(api, namespace, exchange);
	if (configMap === null) {
		return null;
	}
	const { reason } = configMap.data ?? {};
	return `the ConfigMap ${breakGlassConfigMap} keeps it at Ignore${reason === undefined ? "" : `: ${quote(reason)}`}`;
}

interface ConfigMap {
	readonly data?: Readonly<Record<string, string>> | null;
}

async function readConfigMap(
	api: ApiServer,
	namespace: string,
	exchange: ApiRequest,
): Promise<ConfigMap | null> {
	const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps/${breakGlassConfigMap}`;
	try {
		// The shape is the API server's own (core/v1), which validates it on every write.
		return (await readObject(api, path, exchange)) as ConfigMap | null;
	} catch (error) {
		// A Role of before this ConfigMap: what may not be read cannot have been meant for us.
		if (statusOf(error) === 403) {
			return null;
		}
		throw error;
	}
}
