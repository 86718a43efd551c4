import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import {
	confirmedKinds,
	describeValues,
	judgedKinds,
	kindsFixedOnAdmission,
	readRules,
} from "../../scripts/chart.ts";
import { systemNamespaces } from "../../src/core/exempt-namespaces.ts";
import type { Kind } from "../../src/core/kinds.ts";
import { allKinds, kinds } from "../../src/core/kinds.ts";
import { rules } from "../../src/rules/table.ts";
import { followedKinds } from "../../src/serve/followed-kinds.ts";
import { defaultDrainTimes } from "../../src/server/drain.ts";

const chart = join(import.meta.dirname, "../../charts/waymark");
const read = (path: string): string => readFileSync(join(chart, path), "utf8");
const templates = readdirSync(join(chart, "templates")).map((file) => ({
	file,
	text: read(`templates/${file}`),
}));

it("The namespace selector names exactly the namespaces that the engine exempts by itself", () => {
	const list = /define "waymark\.judgedNamespaces" -\}\}\n.*\(?list ((?:"[^"]+" )+)\.Release\.Namespace/.exec(
		read("templates/_helpers.tpl"),
	);
	assert.deepEqual(JSON.parse(`[${list?.[1]?.trim().replaceAll(" ", ",")}]`), [...systemNamespaces]);
});

describe("Chart.yaml", () => {
	const { version } = JSON.parse(readFileSync(join(chart, "../../package.json"), "utf8")) as {
		version: string;
	};
	const text = read("Chart.yaml");
	const content = parse(text) as {
		readonly version: string;
		readonly appVersion: string;
		readonly home: string;
		readonly sources: readonly string[];
		readonly maintainers: readonly { readonly name: string; readonly url: string }[];
		readonly annotations: Readonly<Record<string, string>>;
	};

	it("carries the version of the package, and so does the image that it names", () => {
		assert.deepEqual([content.version, content.appVersion], [version, version]);
		const [image] = parse(content.annotations["artifacthub.io/images"] ?? "") as readonly {
			readonly image: string;
		}[];
		assert.equal(image?.image, `waymark:${version}`);
	});

	it("has home, sources and maintainers, at a place that is plainly none until a release names one", () => {
		const places = [content.home, ...content.sources, ...content.maintainers.map(({ url }) => url)];
		assert.ok(places.length >= 3 && content.maintainers.every(({ name }) => name !== ""));
		for (const [address] of text.matchAll(/https?:\/\/\S+/g)) {
			assert.match(address, /^https:\/\/example\.com\/waymark/);
		}
		assert.ok(places.every((place) => place.startsWith("https://example.com/waymark")));
	});

	it("has annotations of the forms that Artifact Hub reads", () => {
		const { annotations } = content;
		const categories =
			/^(?:ai-machine-learning|database|integration-delivery|monitoring-logging|networking|security|storage|streaming-messaging|skip-prediction)$/;
		assert.match(annotations["artifacthub.io/category"] ?? "", categories);
		assert.equal(annotations["artifacthub.io/license"], "Apache-2.0");
		for (const flag of ["operator", "prerelease", "containsSecurityUpdates"]) {
			assert.match(annotations[`artifacthub.io/${flag}`] ?? "", /^(?:true|false)$/, flag);
		}
		const list = (name: string): readonly Readonly<Record<string, unknown>>[] =>
			parse(annotations[`artifacthub.io/${name}`] ?? "") as readonly Readonly<Record<string, unknown>>[];
		assert.ok(list("links").every(({ name, url }) => typeof name === "string" && typeof url === "string"));
		const kindsOfChange = ["added", "changed", "deprecated", "removed", "fixed", "security"];
		assert.ok(list("changes").length > 0);
		assert.ok(
			list("changes").every(
				({ kind, description }) => kindsOfChange.includes(String(kind)) && typeof description === "string",
			),
		);
		assert.deepEqual(
			list("images").map(({ platforms }) => platforms),
			[["linux/amd64", "linux/arm64"]],
		);
	});
});

describe("values.schema.json", () => {
	const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(
		JSON.parse(read("values.schema.json")),
	);
	const values: Readonly<Record<string, unknown>> = parse(read("values.yaml"));

	it("accepts values.yaml", () => {
		assert.equal(validate(values), true, JSON.stringify(validate.errors));
	});

	const good: Readonly<Record<string, object>> = {
		"a cluster configuration": {
			config: {
				defaults: { mode: "warn", waypoint: "istio-egress/waypoint" },
				limits: { allowedPorts: [443] },
			},
		},
		"an issuer": {
			certificates: {
				mode: "cert-manager",
				certManager: { issuerRef: { name: "ca", kind: "ClusterIssuer" } },
			},
		},
		"client certificates": { tls: { clientCaConfigMap: "client-ca", clientNames: ["kube-apiserver"] } },
		"a digest": { image: { digest: `sha256:${"a".repeat(64)}` } },
		"a URL": { webhooks: { url: "https://127.0.0.1:8443" } },
		"what Helm adds": { global: { anything: true } },
		"what a parent chart hands down": {
			enabled: true,
			global: { imageRegistry: "registry.example", imagePullSecrets: ["pull"] },
		},
		"a pod of OpenShift's": { podSecurityContext: { runAsNonRoot: true } },
		"more volumes": {
			extraVolumes: [{ name: "ca", configMap: { name: "ca" } }],
			extraVolumeMounts: [{ name: "ca", mountPath: "/ca" }],
			extraEnv: [{ name: "NODE_EXTRA_CA_CERTS", value: "/ca/ca.crt" }],
		},
	};
	for (const [what, value] of Object.entries(good)) {
		it(`accepts ${what}`, () => {
			assert.equal(validate({ ...values, ...value }), true, JSON.stringify(validate.errors));
		});
	}

	const bad: Readonly<Record<string, object>> = {
		"an unknown value": { replicaCount: 3 },
		"an unknown value further down": { image: { repo: "waymark" } },
		"an unknown field of the configuration": { config: { default: { mode: "warn" } } },
		"a mode that does not exist": { config: { defaults: { mode: "Enforce" } } },
		"certificates from nowhere": { certificates: { mode: "letsencrypt" } },
		"a failure policy that does not exist": { webhooks: { failurePolicy: "fail" } },
		"a timeout that the API server refuses": { webhooks: { timeoutSeconds: 31 } },
		"a URL without TLS": { webhooks: { url: "http://127.0.0.1:8443" } },
		"a URL with a path": { webhooks: { url: "https://127.0.0.1:8443/validate" } },
		"a tag in the digest": { image: { digest: "v1" } },
		"a TLS version of the last century": { tls: { minVersion: "1.0" } },
		"a number in words": { replicas: "three" },
		"a name that no Service can have": { fullnameOverride: "way.mark" },
		"a name that begins with a digit": { nameOverride: "1st" },
		"a label that the chart sets": { commonLabels: { "app.kubernetes.io/name": "mine" } },
		"the same on pods": { podLabels: { "helm.sh/chart": "mine" } },
		"an argument that is none": { extraArgs: ["serve"] },
		"a volume without a name": { extraVolumes: [{ emptyDir: {} }] },
		"an address in the place of a host": { listenHost: "0.0.0.0:8443" },
		"a namespace that cannot be": { webhooks: { excludedNamespaces: ["kube-*"] } },
	};
	for (const [what, value] of Object.entries(bad)) {
		it(`refuses ${what}`, () => {
			assert.equal(validate({ ...values, ...value }), false);
		});
	}

	it("refuses a section that null has removed, or that an older chart's values lack", () => {
		for (const section of ["config", "webhooks", "tls", "monitoring"]) {
			const { [section]: _, ...others } = values;
			assert.equal(validate(others), false, section);
		}
	});

	it("leaves no object open but those that are Kubernetes' own", () => {
		const open: string[] = [];
		walk(JSON.parse(read("values.schema.json")), "", open);
		assert.deepEqual(open.toSorted(), [
			"affinity",
			"dnsConfig",
			"global",
			"podSecurityContext",
			"resources",
			"securityContext",
		]);
	});
});

function walk(schema: unknown, path: string, open: string[]): void {
	const { type, properties, additionalProperties } = schema as {
		readonly type?: unknown;
		readonly properties?: Readonly<Record<string, unknown>>;
		readonly additionalProperties?: unknown;
	};
	if (type === "object" && additionalProperties === undefined) {
		open.push(path);
	}
	for (const [key, inner] of Object.entries(properties ?? {})) {
		walk(inner, path === "" ? key : `${path}.${key}`, open);
	}
}

describe("values.yaml", () => {
	it("documents every value", () => {
		const documented = [...describeValues(read("values.yaml"))];
		for (const { path, text } of documented) {
			assert.match(text, /\.$/, `${path} has no sentence`);
		}
		const paths = documented.map(({ path }) => path);
		const missing = leaves(parse(read("values.yaml")), []).filter(
			(leaf) => !paths.some((path) => leaf === path || leaf.startsWith(`${path}.`)),
		);
		assert.deepEqual(missing, []);
	});

	it("has no value that the templates do not use", () => {
		const all = templates.map(({ text }) => text).join("\n");
		for (const { path } of describeValues(read("values.yaml"))) {
			assert.ok(all.includes(`Values.${path}`), `${path} is used nowhere`);
		}
	});

	it("has every value that the templates use", () => {
		const values: unknown = parse(read("values.yaml"));
		for (const { file, text } of templates) {
			for (const [, path] of text.matchAll(/\.Values\.([\w.]+)/g)) {
				if (path !== undefined && !path.startsWith("config.") && path !== "global") {
					const steps = path.split(".");
					const found = steps.reduce<unknown>(
						(inner, step) => (inner as Readonly<Record<string, unknown>> | undefined)?.[step],
						values,
					);
					assert.notEqual(found, undefined, `${file} uses ${path}`);
				}
			}
		}
	});
});

function leaves(value: unknown, path: readonly string[]): readonly string[] {
	return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
		? Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]))
		: [path.join(".")];
}

describe("the generated templates", () => {
	const granted = new Map<string, readonly string[]>();
	for (const rule of readRules(rules)) {
		for (const resource of rule.resources) {
			granted.set(`${resource}.${rule.apiGroups[0]}`, rule.verbs);
		}
	}
	const keyOf = (kind: Kind): string => `${kinds[kind].plural}.${kinds[kind].group}`;

	it("let the ClusterRole read exactly what the rules read, and definitions", () => {
		assert.deepEqual(
			[...granted.keys()].toSorted(),
			[...followedKinds.map(keyOf), "customresourcedefinitions.apiextensions.k8s.io"].toSorted(),
		);
	});

	it("let it get by name exactly the kinds whose absence is confirmed", () => {
		for (const kind of confirmedKinds(rules)) {
			assert.deepEqual(granted.get(keyOf(kind)), ["get", "list", "watch"]);
		}
		for (const kind of followedKinds.filter((each) => !confirmedKinds(rules).has(each))) {
			assert.deepEqual(granted.get(keyOf(kind)), ["list", "watch"]);
		}
	});

	it("grant no wildcard, no writing and no Secret", () => {
		for (const [resource, verbs] of granted) {
			assert.ok(!resource.includes("*") && !resource.startsWith("secrets."), resource);
			assert.ok(
				verbs.every((verb) => ["get", "list", "watch"].includes(verb)),
				resource,
			);
		}
	});

	it("send the webhooks exactly the kinds that some rule judges or fixes", () => {
		const judged = new Set(rules.map((rule) => rule.kind));
		assert.deepEqual(
			judgedKinds(rules),
			allKinds.filter((kind) => judged.has(kind) && kind !== "Namespace" && kind !== "Service"),
		);
		assert.ok(judged.has("Namespace") && judged.has("Service"), "both have webhooks of their own");
		assert.deepEqual(
			new Set(kindsFixedOnAdmission(rules)),
			new Set(rules.filter((rule) => rule.sentWhen !== undefined).map((rule) => rule.kind)),
		);
	});
});

describe("the templates", () => {
	it("give a pod more grace than a drain takes at most", () => {
		const grace = /terminationGracePeriodSeconds: (\d+)/.exec(read("templates/deployment.yaml"))?.[1];
		const { deadlineMs, refuseMs, finishMs } = defaultDrainTimes;
		assert.ok(Number(grace) * 1000 > deadlineMs + refuseMs + finishMs);
	});

	it("run no hook, which GitOps tools would wait for or skip", () => {
		for (const { file, text } of templates) {
			assert.ok(!text.includes("helm.sh/hook"), file);
		}
	});

	it("depend on no random, time or generated value", () => {
		for (const { file, text } of templates) {
			assert.doesNotMatch(
				text,
				/\b(genCA\w*|genS\w+Cert\w*|genPrivateKey|rand(Alpha|Num|Ascii|Bytes|Int)\w*|uuidv4|htpasswd|\(now\)|now \|)/,
				file,
			);
		}
	});

	it("are small", () => {
		for (const { file, text } of templates.filter(({ file }) => file !== "_generated.tpl")) {
			assert.ok(text.split("\n").length < 200, file);
		}
	});
});
