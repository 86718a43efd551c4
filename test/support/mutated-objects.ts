import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { SchemaNode } from "../../src/manifests/schema.ts";
import { fieldsOf, nodeAt, schemaTable } from "../../src/manifests/schema.ts";
import { rules } from "../../src/rules/table.ts";

/** An object that the API server takes or refuses, and what was done to it. */
export interface MutatedObject {
	readonly object: Readonly<Record<string, unknown>>;
	readonly what: string;
}

type Random = () => number;
type Fields = Record<string, unknown>;

const root = join(import.meta.dirname, "../..");

/** What the API server is asked about by nobody: it depends on the cluster's own addresses, ports and families. */
const clustersOwn: ReadonlySet<string> = new Set([
	"clusterIP",
	"clusterIPs",
	"nodePort",
	"healthCheckNodePort",
	"ipFamilies",
	"ipFamilyPolicy",
	"loadBalancerClass",
	"finalizers",
	"namespace",
]);

/** The names of fields for which a text of a certain form is wanted more often than any. */
const texts: Readonly<Record<string, readonly string[]>> = {
	host: ["api.example.com", "*.example.com", "a b", ""],
	hosts: ["api.example.com", "*.example.com", "*", "shop/api.example.com", ""],
	hostname: ["api.example.com", "*.example.com", "10.0.0.1", "-a.example.com"],
	hostnames: ["api.example.com", "*.example.com", "10.0.0.1", "a..b"],
	protocol: ["HTTP", "HTTPS", "TLS", "TCP", "UDP", "http", "HBONE"],
	group: ["", "networking.istio.io", "Bad_Group"],
	kind: ["Service", "Gateway", "ServiceEntry", "a b"],
	timeout: ["10s", "0s", "1ms", "1us", "1h30m", "ten", "10", ".5s", "-1s"],
	url: [
		"https://example.com/a",
		"oci://example.com/a:1",
		"example.com/a",
		"ftp://example.com",
		"://",
		"a b%zz",
	],
	jwksUri: ["https://example.com/jwks", "http://[::1]:80/", "jwks", "https://a b/", "ftp://example.com"],
	value: ["/", "/a", "a", "/a//b", "/a/../b", "/a%2fb", "", "application/grpc"],
	address: ["10.0.0.1", "api.example.com", "unix:///a", "unix://@a", "unix://a", "unix:///a/"],
	addresses: ["10.0.0.1", "10.0.0.0/8", "2001:db8::1", "*"],
	port: ["443", "http", "65536", "a--b"],
	targetPort: ["443", "http", "a-very-long-name-of-a-port", "a--b", ""],
};

const oddTexts: readonly string[] = [
	"",
	"a",
	"A",
	"a b",
	"é",
	"x".repeat(64),
	"x".repeat(254),
	"*",
	"10s",
	"0",
	"a/b",
	"istio.io/a",
	"-a",
	"a-",
	"a.b",
	"A_b",
	"443",
	"true",
	"https://example.com",
	"2026-01-01T00:00:00Z",
	"!",
	"\t",
];
const oddNumbers: readonly number[] = [
	0, 1, -1, 1.5, 2, 80, 443, 600, 65_535, 65_536, 2_147_483_647, 2_147_483_648, 1e19,
];

/** A generator of objects of every kind in the table; the same seed gives the same objects. */
export function* mutatedObjects(seed: number, random: Random): Generator<MutatedObject> {
	const bases = baseObjects();
	const kinds = Object.keys(schemaTable().kinds);
	for (let count = 0; ; count++) {
		const key = kinds[count % kinds.length] ?? "";
		const known = bases.get(key) ?? [];
		const isKnown = known.length > 0 && random() < 0.7;
		const object = isKnown ? structuredClone(pick(known, random)) : fresh(key, random);
		const metadata = fieldsOf(object.metadata);
		const row = schemaTable().kinds[key];
		object.metadata = {
			...metadata,
			...(typeof metadata.name === "string" ? { name: `v${seed}-${count}` } : {}),
			...(row?.namespaced === true ? { namespace: "default" } : {}),
		};
		const done: string[] = [isKnown ? "example" : "fresh"];
		for (let times = Math.floor(random() * 3); times > 0; times--) {
			done.push(mutate(object, key, random));
		}
		yield { object, what: `${key}: ${done.join(", ")}` };
	}
}

function pick<T>(list: readonly T[], random: Random): T {
	return list[Math.floor(random() * list.length)] as T;
}

/** The examples of the rules' pages and of the folders with examples, by group and kind. */
function baseObjects(): ReadonlyMap<string, readonly Fields[]> {
	const bases = new Map<string, Fields[]>();
	const add = (value: unknown): void => {
		const { apiVersion, kind } = fieldsOf(value);
		if (typeof apiVersion !== "string" || typeof kind !== "string") {
			return;
		}
		const key = `${apiVersion.includes("/") ? apiVersion.split("/")[0] : ""}/${kind}`;
		if (Object.hasOwn(schemaTable().kinds, key)) {
			bases.set(key, [...(bases.get(key) ?? []), withoutWhatClustersOwn(value) as Fields]);
		}
	};
	for (const { docs } of rules) {
		for (const example of [docs.good, docs.bad, ...(docs.given ?? [])]) {
			add(example);
		}
	}
	for (const folder of ["examples", "docs/try"]) {
		for (const file of readdirSync(join(root, folder)).filter((each) => each.endsWith(".yaml"))) {
			for (const document of parseAllDocuments(readFileSync(join(root, folder, file), "utf8"))) {
				add(document.toJS());
			}
		}
	}
	return bases;
}

function withoutWhatClustersOwn(value: unknown): unknown {
	if (Array.isArray(value)) {
		return value.map(withoutWhatClustersOwn);
	}
	return typeof value === "object" && value !== null
		? Object.fromEntries(
				Object.entries(value)
					.filter(([field]) => !clustersOwn.has(field) || field === "namespace")
					.map(([field, inner]) => [field, withoutWhatClustersOwn(inner)]),
			)
		: value;
}

/** An object made of nothing but its schema. */
function fresh(key: string, random: Random): Fields {
	const [group, kind] = key.split("/");
	const row = schemaTable().kinds[key];
	const version = pick(Object.keys(row?.versions ?? {}), random);
	const { spec } = nodeAt(row?.versions[version]).fields ?? {};
	return {
		apiVersion: group === "" ? version : `${group}/${version}`,
		kind,
		metadata: { name: "a" },
		...(spec === undefined ? {} : { spec: generated("spec", spec, random, 0) }),
	};
}

/** A value as a schema wants it, seldom one that it does not. */
function generated(field: string, place: number, random: Random, depth: number): unknown {
	const node = nodeAt(place);
	if (random() < 0.015) {
		return odd(random);
	}
	if (node.either === true) {
		return random() < 0.5 ? pick([80, 0, 50, -1, 65_536], random) : pick(["50%", "http", "80"], random);
	}
	switch (node.type) {
		case "object":
			return generatedObject(node, random, depth);
		case "array": {
			const count = Math.min((node.minItems ?? 0) + Math.floor(random() * 3), 4);
			return Array.from({ length: count }, () => generated(field, node.item ?? 0, random, depth + 1));
		}
		case "boolean":
			return random() < 0.5;
		case "integer":
		case "number":
			return random() < 0.8 ? Math.max(node.minimum ?? 1, 1) : pick(oddNumbers, random);
		case "string":
			return generatedText(field, node, random);
		default:
			return random() < 0.5 ? {} : "a";
	}
}

function generatedText(field: string, node: SchemaNode, random: Random): string {
	if (node.enum !== undefined && random() < 0.9) {
		return String(pick(node.enum, random));
	}
	const usual =
		texts[field] ??
		(/(?:timeout|interval|duration|time|delay|ttl)$/i.test(field) ? texts.timeout : undefined);
	if (usual !== undefined && random() < 0.8) {
		return pick(usual, random);
	}
	return random() < 0.8 ? pick(["a", "b", "a.b", "10s"], random) : pick(oddTexts, random);
}

function generatedObject(node: SchemaNode, random: Random, depth: number): Fields {
	const made: Fields = {};
	if (node.fields === undefined) {
		for (let count = Math.floor(random() * 3); count > 0; count--) {
			made[random() < 0.7 ? pick(["a", "b", "443", "0", "x.y/z"], random) : pick(oddTexts, random)] =
				generated("", node.value ?? 0, random, depth + 1);
		}
		return made;
	}
	const names = Object.keys(node.fields).filter((name) => !clustersOwn.has(name));
	const some = Math.max(0.06, Math.min(0.5, 2 / names.length)) / (depth > 3 ? 3 : 1);
	for (const name of names) {
		const isWanted = node.required?.includes(name) === true ? random() < 0.97 : random() < some;
		if (isWanted) {
			made[name] = generated(name, node.fields[name] ?? 0, random, depth + 1);
		}
	}
	return made;
}

function odd(random: Random): unknown {
	return pick<() => unknown>(
		[
			() => null,
			() => pick(oddTexts, random),
			() => pick(oddTexts, random),
			() => pick(oddNumbers, random),
			() => pick(oddNumbers, random),
			() => random() < 0.5,
			() => [],
			() => ({}),
			() => [null],
			() => ["a"],
			() => ({ a: "b" }),
		],
		random,
	)();
}

interface Place {
	readonly parent: Fields | unknown[];
	readonly key: string | number;
	/** The node of the value that stands there. */
	readonly node: number;
}

/** All places below a value that stand in its schema, with the schema of each. */
function placesIn(value: unknown, node: number, found: Place[]): readonly Place[] {
	const { fields, value: inner, item } = nodeAt(node);
	if (Array.isArray(value)) {
		for (const [index, each] of value.entries()) {
			found.push({ parent: value, key: index, node: item ?? 0 });
			placesIn(each, item ?? 0, found);
		}
	} else if (typeof value === "object" && value !== null) {
		for (const [key, each] of Object.entries(value)) {
			if (!clustersOwn.has(key)) {
				const at = (fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : inner) ?? 0;
				found.push({ parent: value as Fields, key, node: at });
				placesIn(each, at, found);
			}
		}
	}
	return found;
}

function mutate(object: Fields, key: string, random: Random): string {
	const choice = random();
	if (choice < 0.12 && fieldsOf(object.metadata) === object.metadata) {
		return mutateMetadata(object, random);
	}
	if (choice < 0.16) {
		object.apiVersion = pick(
			[object.apiVersion, "v2", `${key.split("/")[0]}/v9`, "networking.istio.io/v1alpha3", "apps/v1", "v1"],
			random,
		);
		return `apiVersion ${String(object.apiVersion)}`;
	}
	if (choice < 0.18) {
		object.status = pick([{}, { a: "b" }, { conditions: [] }, "x", null, { conditions: "x" }, []], random);
		return "status";
	}
	const row = schemaTable().kinds[key];
	const place = Object.values(row?.versions ?? {})[0] ?? 0;
	const { apiVersion: _, kind: __, metadata: ___, ...own } = object;
	const { spec, rules: list } = own;
	const all = [
		...placesIn(spec, nodeAt(place).fields?.spec ?? 0, []),
		...(spec === undefined ? [] : [{ parent: object, key: "spec", node: nodeAt(place).fields?.spec ?? 0 }]),
		...placesIn(list, 0, []),
	];
	if (all.length === 0) {
		object.spec = odd(random);
		return "odd spec";
	}
	return mutateAt(pick(all, random), random, choice);
}

function mutateAt({ parent, key, node }: Place, random: Random, choice: number): string {
	const value = (parent as Fields)[key];
	const where = String(key);
	if (choice < 0.3) {
		Reflect.set(parent, key, odd(random));
		return `odd ${where}`;
	}
	if (choice < 0.4) {
		if (Array.isArray(parent)) {
			parent.splice(Number(key), 1);
		} else {
			delete parent[key];
		}
		return `without ${where}`;
	}
	if (choice < 0.5 && typeof value === "object" && value !== null && !Array.isArray(value)) {
		Reflect.set(value, pick(["export_to", "quux", "Hosts", "a/b", "namespace"], random), odd(random));
		return `unknown in ${where}`;
	}
	if (choice < 0.6 && Array.isArray(value)) {
		value.push(random() < 0.5 && value.length > 0 ? structuredClone(pick(value, random)) : odd(random));
		return `more of ${where}`;
	}
	const { fields } = nodeAt(node);
	const names = Object.keys(fields ?? {}).filter((name) => !clustersOwn.has(name));
	if (names.length > 0 && typeof value === "object" && value !== null && !Array.isArray(value)) {
		const name = pick(names, random);
		Reflect.set(value, name, generated(name, fields?.[name] ?? 0, random, 2));
		return `${where}.${name}`;
	}
	Reflect.set(parent, key, generated(where, node, random, 2));
	return `new ${where}`;
}

function mutateMetadata(object: Fields, random: Random): string {
	const metadata = object.metadata as Fields;
	const [what, change] = pick<readonly [string, () => void]>(
		[
			["name", () => Reflect.set(metadata, "name", pick([...oddTexts, "a.b.c", "1a", null, 5], random))],
			[
				"generateName",
				() => {
					delete metadata.name;
					metadata.generateName = pick(
						["a-", "a.", "A-", "-", "a--", "1-", "x".repeat(250), "", null, "a b"],
						random,
					);
				},
			],
			[
				"labels",
				() =>
					Reflect.set(metadata, "labels", {
						[pick([...oddTexts, "a/b/c", "A/b", "a.b/C_d"], random)]: pick(
							[...oddTexts, null, 1, true],
							random,
						),
					}),
			],
			[
				"annotations",
				() =>
					Reflect.set(metadata, "annotations", {
						[pick([...oddTexts, "a/b/c", "A/b"], random)]: pick([...oddTexts, null, 1, {}], random),
					}),
			],
			["odd labels", () => Reflect.set(metadata, pick(["labels", "annotations"], random), odd(random))],
			[
				"large annotations",
				() => Reflect.set(metadata, "annotations", { a: "x".repeat(262_143 + Math.floor(random() * 3) - 1) }),
			],
			[
				"unknown",
				() =>
					Reflect.set(metadata, pick(["label", "anotations", "clusterName", "Name"], random), odd(random)),
			],
			[
				"finalizers",
				() =>
					Reflect.set(
						metadata,
						"finalizers",
						pick(
							[["a"], ["example.com/a"], [""], ["a b"], ["orphan", "foregroundDeletion"], "a", [null], null],
							random,
						),
					),
			],
			[
				"ownerReferences",
				() => {
					const owner = { apiVersion: "v1", kind: "ConfigMap", name: "a", uid: "b" };
					metadata.ownerReferences = pick<unknown>(
						[
							[owner],
							[{ ...owner, uid: "" }],
							[{ ...owner, kind: "Event" }],
							[{ ...owner, quux: 1 }],
							[
								{ ...owner, controller: true },
								{ ...owner, uid: "c", controller: true },
							],
							[{}],
							owner,
							[{ ...owner, apiVersion: "a/b/c" }],
						],
						random,
					);
				},
			],
			[
				"creationTimestamp",
				() =>
					Reflect.set(
						metadata,
						"creationTimestamp",
						pick([null, "2026-01-01T00:00:00Z", "yesterday", 5], random),
					),
			],
			["generation", () => Reflect.set(metadata, "generation", pick(oddNumbers, random))],
			[
				"uid",
				() =>
					Reflect.set(
						metadata,
						pick(["uid", "selfLink", "resourceVersion"], random),
						pick(["a", "", 5, "0", "12"], random),
					),
			],
			["metadata", () => Reflect.set(object, "metadata", pick([null, "a", [], {}], random))],
		],
		random,
	);
	change();
	return what;
}
