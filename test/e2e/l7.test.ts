import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startServe } from "../support/serve-process.ts";
import type { ConfigDump } from "./ads.ts";
import { dumpConfig, waitForPush } from "./ads.ts";
import type { ApiAnswer, KubeObject, User } from "./api.ts";
import { effectAtWaypoint } from "./effects.ts";
import { useControlPlane } from "./shared.ts";
import { registerWebhooks } from "./webhooks.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry, useWaypoint } from "./world.ts";

// What holds at a shared waypoint, what a tenant can do about it, and what he is told.
const plane = await useControlPlane();
const egress = "l7-egress";
const shop = "l7-shop";
const ambient = { "istio.io/dataplane-mode": "ambient" };
const bound = { labels: useWaypoint("waypoint", egress) };
const http = { ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }] };
const developer: User = { name: "l7-dev", groups: ["system:authenticated"] };
const editor: User = { name: "l7-sec", groups: ["system:authenticated"] };

const versions: Readonly<Record<string, string>> = {
	AuthorizationPolicy: "security.istio.io/v1",
	RequestAuthentication: "security.istio.io/v1",
	WasmPlugin: "extensions.istio.io/v1alpha1",
	TrafficExtension: "extensions.istio.io/v1alpha1",
	Telemetry: "telemetry.istio.io/v1",
	EnvoyFilter: "networking.istio.io/v1alpha3",
	BackendTLSPolicy: "gateway.networking.k8s.io/v1",
	DestinationRule: "networking.istio.io/v1",
};

function object(kind: string, namespace: string, name: string, spec: object): KubeObject {
	return { apiVersion: versions[kind] ?? "v1", kind, metadata: { namespace, name }, spec };
}

function toEntry(name: string, more: object = {}): object {
	return { targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name }], ...more };
}

function toWaypoint(more: object): object {
	return { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "waypoint" }], ...more };
}

function origination(mode: string, more: object = {}): object {
	const portLevelSettings = [{ port: { number: 80 }, tls: { mode } }];
	return { host: "orig.l7.example", trafficPolicy: { portLevelSettings }, ...more };
}

const get = { to: [{ operation: { methods: ["GET"] } }] };
const silence = { metrics: [{ overrides: [{ match: { metric: "ALL_METRICS" }, disabled: true }] }] };
const entries = [
	serviceEntry(shop, "api", "api.l7.example", { ...bound, spec: http }),
	serviceEntry(shop, "orig", "orig.l7.example", { ...bound, spec: http }),
	serviceEntry(shop, "tls", "tls.l7.example", bound),
	serviceEntry(shop, "wild", "*.wild.l7.example", {
		...bound,
		spec: { ...http, ports: [{ number: 80, name: "http", protocol: "HTTP" }], resolution: "DYNAMIC_DNS" },
	}),
];

/** What istiod pushes to the waypoint now. */
async function waypoint(): Promise<ConfigDump> {
	await waitForPush(plane);
	return dumpConfig(plane, {
		type: "waypoint",
		namespace: egress,
		name: "waypoint",
		labels: {
			"gateway.networking.k8s.io/gateway-name": "waypoint",
			"gateway.istio.io/managed": "istio.io-mesh-controller",
		},
	});
}

/** The filter chain of a port of a host, as text. */
function chainOf(dump: ConfigDump, host: string, port = 80): string {
	const chains: string[] = [];
	const visit = (value: unknown): void => {
		if (typeof value !== "object" || value === null) {
			return;
		}
		const { name, filters } = value as { readonly name?: unknown; readonly filters?: unknown };
		if (
			typeof name === "string" &&
			filters !== undefined &&
			name.startsWith(`inbound-vip|${port}|`) &&
			name.endsWith(`|${host}`)
		) {
			chains.push(JSON.stringify(value));
		}
		Object.values(value).forEach(visit);
	};
	visit(dump.get("ListenersConfigDump"));
	return chains.join("\n");
}

/** Whether the waypoint begins TLS for a host. */
function beginsTls(dump: ConfigDump, host: string): boolean {
	return /UpstreamTlsContext/.test(JSON.stringify(effectAtWaypoint(dump, host, 80).routes));
}

describe("what holds at a shared waypoint, and who may change it", () => {
	const stack = new AsyncDisposableStack();

	before(async () => {
		await deleteNamespaces(plane, egress, shop);
		stack.defer(() => deleteNamespaces(plane, egress, shop));
		await createNamespace(plane, egress, { labels: ambient });
		await createNamespace(plane, shop, {
			labels: ambient,
			annotations: { "egress.waymark.dev/waypoint": `${egress}/waypoint` },
		});
		await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
		await Promise.all(entries.map((entry) => plane.api.apply(entry)));
		await plane.api.apply(object("AuthorizationPolicy", egress, "only-get", toWaypoint({ rules: [get] })));
	});
	after(() => stack.disposeAsync());

	test("istiod joins a tenant's ALLOW, runs its code and obeys its Telemetry, and passes over what is not targeted", async () => {
		const before = chainOf(await waypoint(), "api.l7.example");
		assert.match(before, /only-get/);
		assert.match(before, /istio\.stats/);
		const written = [
			object("AuthorizationPolicy", shop, "all", toEntry("api", { rules: [{}] })),
			object("WasmPlugin", shop, "own", toEntry("api", { url: "oci://registry.l7.example/own:1" })),
			object(
				"TrafficExtension",
				shop,
				"lua",
				toEntry("api", { lua: { inlineCode: "function envoy_on_request(h) end" } }),
			),
			object("Telemetry", shop, "silent", toEntry("api", silence)),
			// What a waypoint passes over: selectors, other namespaces, EnvoyFilters for an entry.
			object("AuthorizationPolicy", egress, "selecting", {
				selector: { matchLabels: { "gateway.networking.k8s.io/gateway-name": "waypoint" } },
				rules: [get],
			}),
			object("AuthorizationPolicy", egress, "whole-namespace", { rules: [get] }),
			object("AuthorizationPolicy", egress, "foreign", toEntry("api", { rules: [get] })),
			object(
				"EnvoyFilter",
				shop,
				"patch",
				toEntry("api", {
					configPatches: [
						{
							applyTo: "HTTP_FILTER",
							match: {
								listener: {
									filterChain: {
										filter: {
											name: "envoy.filters.network.http_connection_manager",
											subFilter: { name: "envoy.filters.http.rbac" },
										},
									},
								},
							},
							patch: { operation: "REMOVE" },
						},
					],
				}),
			),
			object("AuthorizationPolicy", shop, "reading", toEntry("tls", { rules: [get] })),
		];
		await Promise.all(written.map((each) => plane.api.apply(each)));
		const dump = await waypoint();
		const chain = chainOf(dump, "api.l7.example");
		assert.match(chain, /ns\[l7-shop\]-policy\[all\]/);
		assert.match(chain, /ns\[l7-egress\]-policy\[only-get\]/);
		assert.match(chain, /l7-shop\.own/);
		assert.match(chain, /l7-shop\.lua/);
		assert.doesNotMatch(chain, /istio\.stats/);
		assert.doesNotMatch(JSON.stringify([...dump]), /policy\[(?:selecting|whole-namespace|foreign)\]/);
		// A rule about requests is left out where there are none: an ALLOW without rules lets nothing through.
		const tls = chainOf(dump, "tls.l7.example", 443);
		assert.match(tls, /envoy\.filters\.network\.rbac/);
		assert.doesNotMatch(tls, /policy\[reading\]/);
		await Promise.all(
			written.map(({ kind, metadata }) => plane.api.delete(kind, metadata.namespace, metadata.name ?? "")),
		);
	});

	test("istiod obeys the Telemetry of the entry's whole namespace, and none that targets the waypoint elsewhere", async () => {
		await plane.api.apply(object("Telemetry", shop, "whole", silence));
		assert.doesNotMatch(chainOf(await waypoint(), "api.l7.example"), /istio\.stats/);
		await plane.api.delete("Telemetry", shop, "whole");
		await plane.api.apply(object("Telemetry", egress, "at-gateway", toWaypoint(silence)));
		assert.match(chainOf(await waypoint(), "api.l7.example"), /istio\.stats/);
		await plane.api.delete("Telemetry", egress, "at-gateway");
	});

	test("istiod begins TLS by mode SIMPLE only, and passes over a DestinationRule that selects pods", async () => {
		const tlsBy = async (spec: object): Promise<boolean> => {
			await plane.api.apply(object("DestinationRule", shop, "orig", spec));
			return beginsTls(await waypoint(), "orig.l7.example");
		};
		assert.equal(await tlsBy(origination("SIMPLE")), true);
		assert.equal(await tlsBy(origination("ISTIO_MUTUAL")), false);
		assert.equal(
			await tlsBy(
				origination("SIMPLE", {
					workloadSelector: { matchLabels: { "gateway.networking.k8s.io/gateway-name": "waypoint" } },
				}),
			),
			false,
		);
		await plane.api.delete("DestinationRule", shop, "orig");
		await plane.api.apply(object("DestinationRule", shop, "orig", origination("SIMPLE")));
	});

	describe("with Waymark", () => {
		before(async () => {
			const role = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "l7-edit" };
			await plane.api.apply({
				apiVersion: "rbac.authorization.k8s.io/v1",
				kind: "Role",
				metadata: { namespace: shop, name: "l7-edit" },
				rules: [
					{
						apiGroups: [
							"networking.istio.io",
							"security.istio.io",
							"extensions.istio.io",
							"telemetry.istio.io",
							"gateway.networking.k8s.io",
						],
						resources: ["*"],
						verbs: ["*"],
					},
				],
			} as unknown as KubeObject);
			await plane.api.apply({
				apiVersion: "rbac.authorization.k8s.io/v1",
				kind: "RoleBinding",
				metadata: { namespace: shop, name: "l7-edit" },
				roleRef: role,
				subjects: [developer, editor].map(({ name }) => ({
					apiGroup: "rbac.authorization.k8s.io",
					kind: "User",
					name,
				})),
			});
			const folder = await mkdtemp(join(tmpdir(), "waymark-l7-"));
			stack.defer(() => rm(folder, { recursive: true }));
			const config = join(folder, "config.yaml");
			await writeFile(config, "policyEditors: {users: [l7-sec]}\n");
			const args = ["--kubeconfig", plane.kubeconfig, "--config", config];
			const server = await startServe(
				{ after: (stop) => stack.defer(async () => void (await stop())) },
				args,
				{
					cwd: folder,
				},
			);
			const ca = await readFile(server.caFile, "utf8");
			stack.defer(
				await registerWebhooks(plane, { url: server.url, ca, namespaces: [shop], deletions: true }),
			);
		});

		/** What the API server answers to a creation that stores nothing, or an update of what is there. */
		async function write(each: KubeObject, as: User, dryRun = true): Promise<ApiAnswer> {
			const { kind, metadata } = each;
			const path = await plane.api.collectionPath(kind, metadata.namespace);
			const all = dryRun ? "?dryRun=All" : "";
			const answer = await plane.api.request("POST", `${path}${all}`, { body: each, as });
			return answer.status === 409
				? await plane.api.request("PATCH", `${path}/${metadata.name}${all}`, {
						contentType: "application/merge-patch+json",
						body: { spec: each.spec },
						as,
					})
				: answer;
		}

		async function isRefused(each: KubeObject, rule: RegExp): Promise<void> {
			const tenant = await write(each, developer);
			assert.equal(tenant.status, 403, JSON.stringify(tenant.body));
			assert.match(JSON.stringify(tenant.body), rule);
			const security = await write(each, editor);
			assert.equal(security.status, 201, JSON.stringify(security.body));
			assert.doesNotMatch(security.warnings.join("\n"), rule);
		}

		test("a tenant may not join the ALLOW of the waypoint, bring code into it or silence it; a policy editor may", async () => {
			await isRefused(
				object("AuthorizationPolicy", shop, "all", toEntry("api", { rules: [{}] })),
				/authorizationpolicy-shared-allow/,
			);
			await isRefused(
				object("WasmPlugin", shop, "own", toEntry("api", { url: "oci://registry.l7.example/own:1" })),
				/wasmplugin-shared-code/,
			);
			await isRefused(
				object(
					"TrafficExtension",
					shop,
					"lua",
					toEntry("api", { lua: { inlineCode: "function envoy_on_request(h) end" } }),
				),
				/trafficextension-shared-code/,
			);
			await isRefused(
				object("Telemetry", shop, "silent", toEntry("api", silence)),
				/telemetry-shared-silence/,
			);
		});

		test("a tenant may narrow what the waypoint allows, and watch more", async () => {
			for (const each of [
				object("AuthorizationPolicy", shop, "deny", toEntry("api", { action: "DENY", rules: [get] })),
				object(
					"Telemetry",
					shop,
					"more",
					toEntry("api", { accessLogging: [{ providers: [{ name: "envoy" }] }] }),
				),
			]) {
				const answer = await write(each, developer);
				assert.equal(answer.status, 201, JSON.stringify(answer.body));
				assert.deepEqual(answer.warnings, []);
			}
		});

		test("whoever writes what holds nowhere is told so", async () => {
			const cases: readonly (readonly [KubeObject, RegExp])[] = [
				[
					object("AuthorizationPolicy", shop, "p", toEntry("renamed", { rules: [get] })),
					/authorizationpolicy-target.*no ServiceEntry renamed/,
				],
				[
					object("RequestAuthentication", shop, "p", toEntry("tls", { jwtRules: [{ issuer: "a" }] })),
					/requestauthentication-target.*No port/,
				],
				[
					object("EnvoyFilter", shop, "p", toEntry("api", { configPatches: [] })),
					/envoyfilter-target.*reads no EnvoyFilter/,
				],
				[
					object("AuthorizationPolicy", shop, "p", toEntry("tls", { action: "DENY", rules: [get] })),
					/authorizationpolicy-http-field/,
				],
				[
					object(
						"BackendTLSPolicy",
						shop,
						"p",
						toEntry("gone", {
							validation: { hostname: "gone.l7.example", wellKnownCACertificates: "System" },
						}),
					),
					/backendtlspolicy-target/,
				],
			];
			for (const [each, warning] of cases) {
				const answer = await write(each, developer);
				assert.equal(answer.status, 201, JSON.stringify(answer.body));
				assert.match(answer.warnings.join("\n").replaceAll("\n", " "), warning);
			}
		});

		test("whoever renames, covers or deletes a governed entry is told what is left behind", async () => {
			const policies = ["api", "wild"].map((name) =>
				object("AuthorizationPolicy", shop, `${name}-get`, toEntry(name, { rules: [get] })),
			);
			for (const policy of policies) {
				assert.equal((await write(policy, editor, false)).status, 201);
			}
			const renamed = serviceEntry(shop, "api2", "api.l7.example", { ...bound, spec: http });
			const below = serviceEntry(shop, "one", "one.wild.l7.example", { ...bound, spec: http });
			// What was written a moment ago arrives by watch.
			const told = async (each: KubeObject, warning: RegExp): Promise<void> => {
				const deadline = Date.now() + 5_000;
				let said = "";
				while (!warning.test(said)) {
					assert.ok(Date.now() < deadline, said);
					said = (await write(each, developer)).warnings.join("\n");
					await sleep(50);
				}
			};
			await told(renamed, /serviceentry-lost-policy[\s\S]*api-get governs/);
			await told(below, /serviceentry-lost-policy[\s\S]*wild-get governs/);
			const path = await plane.api.collectionPath("ServiceEntry", shop);
			const deleted = await plane.api.request("DELETE", `${path}/api`, { as: developer });
			assert.equal(deleted.status, 200);
			assert.match(
				deleted.warnings.join("\n"),
				/api-get targets ServiceEntry api and holds nowhere without it/,
			);
			await told(
				renamed,
				/serviceentry-lost-policy[\s\S]*api-get targets ServiceEntry api, which is not there/,
			);
			assert.equal((await write(renamed, developer, false)).status, 201);
			// istiod agrees: the new entry has the host, and no policy but the waypoint's.
			const chain = chainOf(await waypoint(), "api.l7.example");
			assert.match(chain, /policy\[only-get\]/);
			assert.doesNotMatch(chain, /policy\[api-get\]/);
		});

		test("whoever switches the TLS of a waypoint off is told so, by an update and by a deletion", async () => {
			for (const mode of ["DISABLE", "ISTIO_MUTUAL"]) {
				const answer = await write(object("DestinationRule", shop, "orig", origination(mode)), developer);
				assert.equal(answer.status, 200, JSON.stringify(answer.body));
				assert.match(answer.warnings.join("\n"), /destinationrule-tls-loss/);
			}
			const path = await plane.api.collectionPath("DestinationRule", shop);
			const deleted = await plane.api.request("DELETE", `${path}/orig?dryRun=All`, { as: developer });
			assert.match(deleted.warnings.join("\n"), /destinationrule-tls-loss/);
		});
	});
});
