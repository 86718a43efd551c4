import type { Logger } from "pino";
import { fingerprints, verificationFault } from "../../certificates/inspect.ts";
import type { ApiRequest, ApiServer } from "../client/api-writes.ts";
import type { WebhookConfiguration, WebhookConfigurationRef } from "./webhook-configurations.ts";
import { bundlesOf, readConfiguration, withBundle, writeConfiguration } from "./webhook-configurations.ts";

/** The CA bundles of the webhook configurations, as they were last read or written. */
export interface PublishedBundles {
	/** Reads all configurations in their newest state. */
	read(): Promise<void>;
	/** The bundle of every webhook; "" for one without, and for a configuration that does not exist. */
	live(): readonly string[];
	/** Writes the bundle where it differs, with the version that was read: fails with 409 when somebody was faster. */
	publish(bundle: string): Promise<void>;
	/** For how long every webhook has trusted a CA, in milliseconds by the monotonic clock; negative when not all do. */
	trustedMs(cert: string): number;
	/** Why the API server would not trust a served certificate, or `null`. */
	fault(served: string, now: Date): string | null;
}

// A clock that is behind must not keep a replica out of service: what counts is the API server's clock.
const earlyMs = 24 * 3_600_000;

/** Looks after the bundles of these configurations; nothing is known before the first `read()`. */
export function createPublishedBundles(
	api: ApiServer,
	refs: readonly WebhookConfigurationRef[],
	exchange: ApiRequest,
	log: Pick<Logger, "info">,
): PublishedBundles {
	let configurations: readonly (WebhookConfiguration | null)[] = refs.map(() => null);
	const trustedSince = new Map<string, number>();
	const live = (): readonly string[] =>
		configurations.flatMap((configuration) => (configuration === null ? [""] : bundlesOf(configuration)));
	const noteTrust = (): void => {
		const [first, ...others] = live().map((bundle) => new Set(fingerprints(bundle)));
		const everywhere = others.reduce((all, one) => all.intersection(one), first ?? new Set<string>());
		for (const fingerprint of trustedSince.keys()) {
			if (!everywhere.has(fingerprint)) {
				trustedSince.delete(fingerprint);
			}
		}
		for (const fingerprint of everywhere) {
			trustedSince.set(fingerprint, trustedSince.get(fingerprint) ?? performance.now());
		}
	};
	return {
		live,
		async read() {
			configurations = await Promise.all(refs.map((ref) => readConfiguration(api, ref, exchange)));
			noteTrust();
		},
		async publish(bundle) {
			for (const [index, ref] of refs.entries()) {
				const configuration = configurations[index];
				const changed = configuration ? withBundle(configuration, bundle) : null;
				if (changed !== null) {
					const written = await writeConfiguration(api, ref, changed, exchange);
					configurations = configurations.with(index, written);
					log.info({ configuration: ref.name, kind: ref.kind }, "published the CA bundle");
				}
			}
			noteTrust();
		},
		trustedMs(cert) {
			const since = trustedSince.get(fingerprints(cert)[0] ?? "");
			return since === undefined ? -1 : performance.now() - since;
		},
		fault(served, now) {
			for (const [index, ref] of refs.entries()) {
				const configuration = configurations[index];
				if (!configuration) {
					return `${ref.kind} ${ref.name} does not exist`;
				}
				const faults = bundlesOf(configuration).map((bundle) =>
					verificationFault(served, { now, bundle, earlyMs }),
				);
				const problem = faults.find((each) => each !== null);
				if (problem !== undefined) {
					return `${ref.kind} ${ref.name} does not trust this replica: ${problem}`;
				}
			}
			return null;
		},
	};
}
