/** An object as the API server sends it. */
interface Stored<Spec> {
	readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion: string };
	readonly spec: Spec;
}

function metadata(index: number, perNamespace: number): Stored<never>["metadata"] {
	return {
		name: `object-${index}`,
		namespace: `team-${Math.floor(index / perNamespace)}`,
		resourceVersion: String(1000 + index),
	};
}

/** A ServiceEntry of almost a megabyte, which Istio's CRD admits: 256 hosts and 4,096 endpoints. */
export function heavyEntry(
	index: number,
): Stored<{ readonly hosts: readonly string[]; readonly endpoints: readonly object[] }> {
	return {
		metadata: metadata(index, 8),
		spec: {
			hosts: Array.from({ length: 256 }, (_, host) => `h${host}-${index}.example.com`),
			endpoints: Array.from({ length: 4096 }, (_, endpoint) => ({
				address: `10.${index}.${endpoint >> 8}.${endpoint & 255}`,
				labels: {
					app: `app-${endpoint}`,
					version: `v${endpoint}`,
					"topology.kubernetes.io/zone": `z${endpoint}`,
				},
				ports: { tls: 8000 + (endpoint % 100) },
				network: `net-${endpoint}`,
				locality: `region-${endpoint}/zone-${endpoint}`,
				serviceAccount: `account-${endpoint}-of-team-${index}`,
			})),
		},
	};
}

/** A VirtualService of 21 KB as meshes have them: 75 routes to Services of its namespace, or of its own. */
export function routedService(
	index: number,
	isDifferent = false,
): Stored<{ readonly hosts: readonly string[]; readonly http: readonly object[] }> {
	const named = metadata(index, 35);
	return {
		metadata: named,
		spec: {
			hosts: [`v${index}.example.com`],
			http: Array.from({ length: 75 }, (_, route) => ({
				name: `route-${route}`,
				match: [
					{ uri: { prefix: `/api/v${index}/${route}/some/path` }, headers: { "x-user": { exact: "u" } } },
				],
				rewrite: { uri: "/" },
				retries: { attempts: 3, perTryTimeout: "2s", retryOn: "5xx,reset,connect-failure" },
				route: [
					{
						destination: {
							host: `svc-${route}${isDifferent ? `-of-${index}` : ""}.${named.namespace}.svc.cluster.local`,
							port: { number: 8080 },
						},
						weight: 100,
					},
				],
			})),
		},
	};
}
