import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { serviceNames } from "../certificates/authority.ts";
import type { CertificateSource } from "../certificates/source.ts";
import type { Connection } from "../kube/client/connection.ts";
import type { Unreached } from "../kube/install/fail-closed.ts";
import { createBootstrapMetrics } from "../server/bootstrap-metrics.ts";
import type { Check } from "../server/probes.ts";

/** By which names this installation is known in its cluster; the chart passes them. */
export interface Installation {
	readonly namespace: string;
	readonly service: string;
	/** The Secret of the own CA. */
	readonly secret: string;
	/** The name of both webhook configurations. */
	readonly webhooks: string;
	/** The name or address by which the API server calls the webhooks; undefined: the Service's. */
	readonly name: string | undefined;
	/** Where all replicas listen; undefined: the endpoints of the Service. */
	readonly replicas: readonly { readonly host: string; readonly port: number }[] | undefined;
	readonly clusterDomain: string;
}

/** Serving certificates of an own CA, kept in one Secret and published to the webhook configurations. */
export async function openOwnCertificates(
	installation: Installation,
	connection: Connection,
	log: Logger,
	onWait: (reason: string) => void,
): Promise<{ readonly source: CertificateSource; checks(): readonly Check[] }> {
	const { keepOwnCertificates } = await import("../kube/install/own-certificates.ts");
	const { namespace, service, secret, webhooks, name, clusterDomain } = installation;
	const source = await keepOwnCertificates({
		api: connection,
		namespace,
		secretName: secret,
		names: [...serviceNames(service, namespace, clusterDomain), ...(name === undefined ? [] : [name])],
		configurations: [
			{ kind: "MutatingWebhookConfiguration", name: webhooks },
			{ kind: "ValidatingWebhookConfiguration", name: webhooks },
		],
		log,
		onWait,
		skewMs: connection.clock.skewMs,
	});
	return {
		source,
		checks: () => {
			const { fault, leafExpires, rotation, lookFault } = source.status();
			const expiry = leafExpires === null ? "" : `, valid until ${leafExpires.toISOString()}`;
			return [
				{
					name: "certificate",
					ok: fault === null,
					detail: fault ?? `trusted by the webhook configurations${expiry}`,
				},
				...(rotation === "none"
					? []
					: [{ name: "certificate authority", ok: true, detail: `rotation: ${rotation}` }]),
				...(lookFault === null
					? []
					: [{ name: "certificate secret", ok: false, advisory: true as const, detail: lookFault }]),
			];
		},
	};
}

/** What the failure policy is judged by. */
export interface FailurePolicyMeans {
	/** The certificate that is served, PEM; "" before there is one. */
	readonly served: () => string;
	/** Whether this replica could judge a request now. */
	readonly isReady: () => boolean;
	readonly registry: Registry;
	readonly log: Logger;
}

/** Who looks after the failure policy of the validating webhooks, and what `/readyz` says of it. */
export interface FailurePolicy {
	checks(): readonly Check[];
	stop(): Promise<void>;
}

/** Makes the validating webhook fail closed once a canary was really denied; back only while a person breaks the glass. */
export async function startFailingClosed(
	installation: Installation,
	connection: Connection,
	options: FailurePolicyMeans,
): Promise<FailurePolicy> {
	const { startBootstrap } = await import("../kube/install/fail-closed.ts");
	const { readyEndpoints } = await import("../kube/install/endpoints.ts");
	const { namespace, service, webhooks, name, replicas } = installation;
	const bootstrap = startBootstrap({
		api: connection,
		namespace,
		configuration: webhooks,
		name: name ?? `${service}.${namespace}.svc`,
		replicas: async () => replicas ?? (await readyEndpoints(connection, namespace, service, "webhook")),
		...options,
	});
	createBootstrapMetrics(options.registry, {
		isStrict: () => bootstrap.status().state === "strict",
		isGlassBroken: () => bootstrap.isGlassBroken(),
		unreachedMs: () => bootstrap.unreached()?.sinceMs ?? 0,
	});
	return {
		checks: () => {
			const { state, reason } = bootstrap.status();
			const ok = state === "strict";
			return [
				{
					name: "failure policy",
					ok,
					detail: bootstrap.isGlassBroken()
						? `BREAK-GLASS, unjudged writes pass while Waymark is away: ${reason}`
						: `${state}: ${reason}`,
					...(ok ? {} : { advisory: true as const }),
				},
				...reachChecks(bootstrap.unreached()),
			];
		},
		stop: () => bootstrap.stop(),
	};
}

/** Readiness does not depend on it: a replica that is taken out of the Service is reached by nobody at all. */
function reachChecks(unreached: Unreached | undefined): readonly Check[] {
	return unreached === undefined
		? []
		: [
				{
					name: "reachability",
					ok: false,
					advisory: true,
					detail: `no canary has come back for ${Math.round(unreached.sinceMs / 1000)} s: ${unreached.reason}`,
				},
			];
}
