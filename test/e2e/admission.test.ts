import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { kubectlYaml } from "../../src/manifests/kubectl-yaml.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { startServe } from "../support/serve-process.ts";
import type { KubeObject } from "./api.ts";
import { useControlPlane } from "./shared.ts";
import { registerWebhooks } from "./webhooks.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry } from "./world.ts";

// The whole way: real kubectl, real API server, real istiod, and the webhook in a process of its own.
const plane = await useControlPlane();

const boundLabels = ["istio.io/use-waypoint", "istio.io/use-waypoint-namespace"];
const versions = ["v1", "v1beta1", "v1alpha3"];

for (const source of ["world", "kubeconfig"] as const) {
	const name = (suffix: string): string => `adm-${source}-${suffix}`;
	const egress = name("egress");
	const shop = name("shop");
	const ambient = { "istio.io/dataplane-mode": "ambient" };
	const waypointAnnotation = { "egress.waymark.dev/waypoint": `${egress}/waypoint` };
	const namespaces: Readonly<Record<string, Readonly<Record<string, string>>>> = {
		[egress]: {},
		[shop]: {
			...waypointAnnotation,
			"egress.waymark.dev/allowed-hosts": "*.shop.example, aliyun.com",
			"egress.waymark.dev/denied-hosts": "test.shop.example",
			"egress.waymark.dev/allowed-ports": "80/HTTP, 443/TLS",
		},
		[name("permitted")]: { "egress.waymark.dev/ambient": "permitted" },
		...Object.fromEntries(
			["warn", "audit", "off"].map((mode) => [
				name(mode),
				{ ...waypointAnnotation, "egress.waymark.dev/mode": mode },
			]),
		),
	};

	/** The same cluster as YAML files, for a webhook that has no cluster. */
	async function writeWorld(folder: string): Promise<void> {
		const objects = [
			...Object.entries(namespaces).map(([each, annotations]) => ({
				apiVersion: "v1",
				kind: "Namespace",
				metadata: { name: each, labels: ambient, annotations },
			})),
			{
				apiVersion: "gateway.networking.k8s.io/v1",
				kind: "Gateway",
				metadata: { name: "waypoint", namespace: egress },
				spec: {
					gatewayClassName: "istio-waypoint",
					listeners: [
						{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces: { from: "All" } } },
					],
				},
			},
		];
		await writeFile(
			join(folder, "cluster.yaml"),
			objects.map((each) => stringify(each, kubectlYaml)).join("---\n"),
		);
	}

	/** An external HTTP host as a developer writes it: no label. */
	function plain(namespace: string, entry: string, host: string): KubeObject {
		const { metadata, ...rest } = serviceEntry(namespace, entry, host, {
			spec: { ports: [{ number: 80, name: "http", protocol: "HTTP" }] },
		});
		// Not even empty maps: the API server drops them, and a server-side apply of one writes at every turn.
		return { ...rest, metadata: { namespace: metadata.namespace ?? "", name: metadata.name ?? "" } };
	}

	describe(`waymark serve --${source}`, () => {
		const stack = new AsyncDisposableStack();
		let server: ServeProcess;
		let ca = "";
		let unregister: () => Promise<void> = async () => {};

		const stored = async (namespace: string, entry: string): Promise<KubeObject> => {
			const object = await plane.get("ServiceEntry", namespace, entry);
			assert.ok(object, `${namespace}/${entry} is not stored`);
			return object;
		};
		const waypointLabels = (object: KubeObject): readonly (string | undefined)[] =>
			boundLabels.map((label) => object.metadata.labels?.[label]);
		const generation = ({ metadata }: KubeObject): unknown => [metadata.generation, metadata.resourceVersion];

		before(async () => {
			await deleteNamespaces(plane, ...Object.keys(namespaces));
			for (const [each, annotations] of Object.entries(namespaces)) {
				await createNamespace(plane, each, { labels: ambient, annotations });
			}
			stack.defer(() => deleteNamespaces(plane, ...Object.keys(namespaces)));
			await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
			const folder = await mkdtemp(join(tmpdir(), "waymark-admission-"));
			stack.defer(() => rm(folder, { recursive: true }));
			await writeWorld(folder);
			const args = source === "world" ? ["--world", folder] : ["--kubeconfig", plane.kubeconfig];
			server = await startServe({ after: (stop) => stack.defer(async () => void (await stop())) }, args, {
				cwd: folder,
			});
			ca = await readFile(server.caFile, "utf8");
			unregister = await registerWebhooks(plane, {
				url: server.url,
				ca,
				namespaces: Object.keys(namespaces),
			});
			stack.defer(() => unregister());
		});
		after(() => stack.disposeAsync());

		test("binds a plain ServiceEntry to the shared waypoint of another namespace, and istiod calls it bound", async () => {
			const entry = plain(shop, "plain", "plain.shop.example");
			const applied = await plane.apply(entry);
			assert.equal(applied.stderr, "");
			assert.deepEqual(waypointLabels(await stored(shop, "plain")), ["waypoint", egress]);
			const bound = await plane.istiod.waypointBound(shop, "plain");
			assert.deepEqual([bound.status, bound.reason], ["True", "WaypointAccepted"], bound.message);
			const [service, ...others] = await plane.istiod.ambientServices(shop, "plain");
			assert.deepEqual(others, []);
			assert.equal(service?.hostname, "plain.shop.example");
			assert.equal(service?.waypoint, `${egress}/waypoint`);
			assert.match(service?.addresses[0] ?? "", /^240\.240\./);
		});

		test("changes nothing when the same manifest is applied again with kubectl apply", async () => {
			const entry = plain(shop, "again", "again.shop.example");
			await plane.apply(entry);
			await plane.istiod.settle();
			const first = await stored(shop, "again");
			assert.match((await plane.apply(entry)).stdout, /serviceentry\.networking\.istio\.io\/again unchanged/);
			assert.deepEqual(generation(await stored(shop, "again")), generation(first));
			const diff = await plane.kubectl(["diff", "--filename=-"], { stdin: entry });
			assert.deepEqual([diff.code, diff.stdout], [0, ""], diff.stderr);
		});

		test("changes nothing when the same manifest is applied again with kubectl apply --server-side", async () => {
			const entry = plain(shop, "server-side", "server-side.shop.example");
			await plane.apply(entry, { serverSide: true });
			await plane.istiod.settle();
			const first = await stored(shop, "server-side");
			assert.deepEqual(waypointLabels(first), ["waypoint", egress]);
			await plane.apply(entry, { serverSide: true });
			assert.deepEqual(generation(await stored(shop, "server-side")), generation(first));
			const diff = await plane.kubectl(["diff", "--server-side", "--filename=-"], { stdin: entry });
			assert.deepEqual([diff.code, diff.stdout], [0, ""], diff.stderr);
		});

		test("shows in --dry-run=server what would be stored, and stores nothing", async () => {
			const entry = plain(shop, "dry", "dry.shop.example");
			const dry = await plane.kubectl(["apply", "--dry-run=server", "--output=json", "--filename=-"], {
				stdin: entry,
			});
			assert.equal(dry.code, 0, dry.stderr);
			assert.deepEqual(waypointLabels(JSON.parse(dry.stdout) as KubeObject), ["waypoint", egress]);
			assert.equal(await plane.get("ServiceEntry", shop, "dry"), undefined);
			const refused = await plane.tryApply(plain(shop, "dry", "elsewhere.example"), { dryRun: true });
			assert.equal(refused.code, 1);
			assert.match(refused.stderr, /serviceentry-policy-host: spec\.hosts\[0\]: /);
		});

		test("binds an entry that is created with generateName", async () => {
			const { metadata, ...rest } = plain(shop, "", "generated.shop.example");
			const generated = { ...rest, metadata: { namespace: metadata.namespace, generateName: "generated-" } };
			const created = await plane.kubectl(["create", "--output=json", "--filename=-"], { stdin: generated });
			assert.equal(created.code, 0, created.stderr);
			const object = JSON.parse(created.stdout) as KubeObject;
			assert.match(object.metadata.name ?? "", /^generated-.+/);
			assert.deepEqual(waypointLabels(object), ["waypoint", egress]);
			const bound = await plane.istiod.waypointBound(shop, object.metadata.name ?? "");
			assert.equal(bound.status, "True", bound.message);
		});

		for (const version of versions) {
			test(`refuses each sidecar object of the bundle in ${version} with rule, field, reason and fix`, async () => {
				const [entry, ...sidecar] = bundle(shop, version, `bundle-${version}`);
				const accepted = await plane.tryApply(entry ?? {});
				assert.equal(accepted.code, 0, accepted.stderr);
				assert.deepEqual(waypointLabels(await stored(shop, `bundle-${version}`)), ["waypoint", egress]);
				const expected: Readonly<Record<string, readonly RegExp[]>> = {
					Gateway: [/istiogateway-egress-selector: spec\.selector/],
					VirtualService: [/virtualservice-egress-route: spec\.http\[0\]/, /egress-gatway/],
					DestinationRule: [/destinationrule-egress-host: spec\.host/],
				};
				for (const object of sidecar) {
					const { code, stderr } = await plane.tryApply(object);
					assert.equal(code, 1, `${object.kind} was accepted`);
					assert.match(stderr, /admission webhook "validate\.waymark\.dev" denied the request: /);
					for (const pattern of expected[object.kind] ?? [/^$/]) {
						assert.match(stderr, pattern);
					}
					// Every line: rule, field, what and why, how to fix it, page.
					for (const line of stderr.split("denied the request: ")[1]?.trim().split("\n") ?? []) {
						assert.match(line, /^[a-z-]+: \S+: .+\. .+ \(waymark explain [a-z-]+\)$/);
					}
				}
			});

			test(`accepts the bundle in ${version} where sidecar egress is permitted`, async () => {
				const { code, stderr } = await plane.tryApply(
					bundle(name("permitted"), version, `bundle-${version}`),
				);
				assert.equal(code, 0, stderr);
				assert.doesNotMatch(stderr, /denied|egress-selector|egress-route|egress-host/);
			});
		}

		test("accepts the bundle with a warning for each object where the mode is warn", async () => {
			const { code, stderr } = await plane.tryApply(bundle(name("warn"), "v1", "bundle"));
			assert.equal(code, 0, stderr);
			for (const rule of [
				"istiogateway-egress-selector",
				"virtualservice-egress-route",
				"destinationrule-egress-host",
			]) {
				assert.match(
					stderr,
					new RegExp(`^Warning: ${rule}: .+\nWarning: fix: .+ \\(waymark explain ${rule}\\)$`, "m"),
				);
			}
			for (const line of stderr.trim().split("\n")) {
				const isFix = line.startsWith("Warning: fix: ");
				assert.ok(line.length <= "Warning: ".length + (isFix ? 256 : 120), line);
			}
			assert.deepEqual(waypointLabels(await stored(name("warn"), "bundle")), ["waypoint", egress]);
		});

		for (const mode of ["audit", "off"]) {
			test(`accepts the bundle in silence, and unchanged, where the mode is ${mode}`, async () => {
				const { code, stderr } = await plane.tryApply(bundle(name(mode), "v1", "bundle"));
				assert.deepEqual([code, stderr], [0, ""]);
				assert.deepEqual(waypointLabels(await stored(name(mode), "bundle")), [undefined, undefined]);
			});
		}

		test("leaves in the audit log what it found where the mode is audit, and nothing where it is off", async () => {
			const events = await plane.auditEvents();
			const rulesOf = (namespace: string): string | undefined =>
				events.findLast(
					({ objectRef, verb }) =>
						verb === "create" && objectRef?.namespace === namespace && objectRef.resource === "gateways",
				)?.annotations?.["validate.waymark.dev/rules"];
			assert.match(rulesOf(name("audit")) ?? "", /istiogateway-egress-selector/);
			assert.equal(rulesOf(name("off")), undefined);
		});

		test("refuses hosts, ports and protocols that the policy does not allow", async () => {
			const https = { number: 443, name: "tls", protocol: "TLS" };
			for (const [what, host, port, expected] of [
				["a host", "files.example.org", https, /serviceentry-policy-host: spec\.hosts\[0\]: /],
				[
					"a denied host",
					"TEST.shop.example.",
					https,
					/serviceentry-policy-host: spec\.hosts\[0\]: .* denied by /,
				],
				[
					"a wildcard that covers it",
					"*.shop.example",
					https,
					/serviceentry-policy-host: spec\.hosts\[0\]: /,
				],
				[
					"a port",
					"a.shop.example",
					{ ...https, number: 8443 },
					/serviceentry-policy-port: spec\.ports\[0\]\.number: /,
				],
				[
					"a protocol",
					"a.shop.example",
					{ ...https, protocol: "TCP" },
					/serviceentry-policy-port: spec\.ports\[0\]\.number: /,
				],
			] as const) {
				const entry = serviceEntry(shop, "outside", host, { spec: { ports: [port] } });
				const { code, stderr } = await plane.tryApply(entry);
				assert.equal(code, 1, `${what} was accepted`);
				assert.match(stderr, expected, what);
			}
			assert.equal(await plane.get("ServiceEntry", shop, "outside"), undefined);
		});

		test("refuses a malformed annotation when the Namespace is annotated, and takes a good one", async () => {
			const annotate = (text: string) =>
				plane.kubectl(["annotate", "--overwrite", "namespace", name("permitted"), text]);
			for (const text of [
				"egress.waymark.dev/allowed-ports=443,none",
				"egress.waymark.dev/mode=strict",
				"egress.waymark.dev/waypoint=a/b/c",
				"egress.waymark.dev/allowed-hosts=*.*.example.com",
			]) {
				const { code, stderr } = await annotate(text);
				assert.equal(code, 1, `${text} was accepted`);
				const annotation = text.split("=")[0] ?? "";
				assert.ok(stderr.includes(`namespace-annotation: metadata.annotations["${annotation}"]: `), stderr);
			}
			const good = await annotate("egress.waymark.dev/allowed-hosts=*.shop.example");
			assert.equal(good.code, 0, good.stderr);
		});

		test("lets an object be labelled, changed and deleted as before", async () => {
			await plane.apply(plain(shop, "life", "life.shop.example"));
			const label = await plane.kubectl(["label", "--namespace", shop, "serviceentry", "life", "team=a"]);
			assert.equal(label.code, 0, label.stderr);
			const worse = await plane.tryApply(plain(shop, "life", "elsewhere.example"));
			assert.equal(worse.code, 1);
			const gone = await plane.kubectl(["delete", "--namespace", shop, "serviceentry", "life"]);
			assert.equal(gone.code, 0, gone.stderr);
		});

		// Stops the webhook: the last of them.
		test("fails open for /mutate and closed for /validate while the webhook is away", async () => {
			const ended = await server.end("SIGTERM");
			assert.equal(ended.code, 0, ended.error);
			const closed = await plane.tryApply(plain(shop, "away", "away.shop.example"));
			assert.equal(closed.code, 1);
			assert.match(closed.stderr, /failed calling webhook "validate\.waymark\.dev"/);
			assert.doesNotMatch(closed.stderr, /mutate\.waymark\.dev/);
			await unregister();
			unregister = await registerWebhooks(plane, {
				url: server.url,
				ca,
				namespaces: Object.keys(namespaces),
				validateFailurePolicy: "Ignore",
			});
			const open = await plane.tryApply(plain(shop, "away", "away.shop.example"));
			assert.equal(open.code, 0, open.stderr);
			assert.deepEqual(waypointLabels(await stored(shop, "away")), [undefined, undefined]);
		});
	});
}

/** One host as it was reached through an egress gateway, with a VirtualService that misspells the gateway's name. */
function bundle(namespace: string, version: string, name: string): readonly KubeObject[] {
	const object = (kind: string, spec: object): KubeObject => ({
		apiVersion: `networking.istio.io/${version}`,
		kind,
		metadata: { namespace, name },
		spec,
	});
	const host = namespace.endsWith("shop") ? `${name}.shop.example` : `${name}.${namespace}.example`;
	const gateway = "istio-egressgateway.istio-system.svc.cluster.local";
	const http = { number: 80, name: "http", protocol: "HTTP" };
	return [
		object("ServiceEntry", { hosts: [host], ports: [http], resolution: "DNS", location: "MESH_EXTERNAL" }),
		object("Gateway", { selector: { istio: "egressgateway" }, servers: [{ port: http, hosts: [host] }] }),
		object("VirtualService", {
			hosts: [host],
			gateways: ["mesh", "egress-gatway"],
			http: [
				{
					match: [{ gateways: ["mesh"], port: 80 }],
					route: [{ destination: { host: gateway, port: { number: 80 } } }],
				},
				{
					match: [{ gateways: ["egress-gatway"], port: 80 }],
					route: [{ destination: { host, port: { number: 80 } } }],
				},
			],
		}),
		object("DestinationRule", { host: gateway, subsets: [{ name: "external" }] }),
	];
}
