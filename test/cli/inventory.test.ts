import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { AnyObject } from "../../src/core/kinds.ts";
import { main } from "../../src/main.ts";
import { entry, namespace, policy, waypoint } from "../reach/worlds.ts";

const folder = mkdtempSync(join(tmpdir(), "waymark-inventory-"));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

/** Writes a file into the test's folder and gives its name. */
function file(content: unknown): string {
	const name = join(folder, `${count++}.json`);
	writeFileSync(name, typeof content === "string" ? content : JSON.stringify(content));
	return name;
}

function worldFile(...items: readonly AnyObject[]): string {
	return file({ apiVersion: "v1", kind: "List", items });
}

async function run(
	...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
	let out = "";
	let error = "";
	const code = await main(["inventory", ...argv], {
		out: (text) => {
			out += text;
		},
		error: (text) => {
			error += text;
		},
		colour: false,
	});
	return { code, out, error };
}

const schema = readFileSync(new URL("../../docs/schemas/inventory.schema.json", import.meta.url), "utf8");
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(JSON.parse(schema));

interface Written {
	readonly hosts: readonly Readonly<Record<string, unknown>>[];
}

async function json(...argv: readonly string[]): Promise<Written> {
	const { code, out, error } = await run(...argv, "--output", "json");
	assert.equal(code, 0, error);
	const value = JSON.parse(out) as Written;
	assert.ok(validate(value), JSON.stringify(validate.errors));
	return value;
}

const bank = namespace("bank", {
	"allowed-hosts": "*.bank.example",
	"exempt.serviceentry-host-shadow": "until=2099-01-01 reason=merger",
});
const intern = namespace("intern", { "denied-hosts": "api.bank.example" });
const described = (annotations: Readonly<Record<string, string>>): AnyObject => {
	const one = entry("bank/api", "api.bank.example");
	const ours = Object.entries(annotations).map(([key, value]) => [`egress.waymark.dev/${key}`, value]);
	return { ...one, metadata: { ...one.metadata, annotations: Object.fromEntries(ours) } };
};
const api = described({
	owner: "payments",
	ticket: "SEC-1",
	reason: "settlement",
	"review-by": "2027-01-31",
});
const guard = policy("bank/guard", "api", {
	action: "DENY",
	rules: [{ from: [{ source: { namespaces: ["intern"] } }] }],
});
const world = worldFile(bank, intern, waypoint, api);

describe("inventory", () => {
	it("inventory --output json writes a row of its schema for every port of every host", async () => {
		const { hosts } = await json(world);
		assert.equal(hosts.length, 1);
		const { exemptions, ...row } = hosts[0] ?? {};
		assert.deepEqual(row, {
			host: "api.bank.example",
			port: 443,
			protocol: "TLS",
			tls: "passed",
			way: "waypoint",
			waypoint: "istio-egress/egress",
			declaredBy: [
				{ apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", namespace: "bank", name: "api" },
			],
			may: ["bank"],
			can: ["bank", "intern"],
			gap: ["intern"],
			unnamed: [],
			past: [],
			refused: [],
			allowedBy: [{ namespace: "bank", line: "allowed-hosts *.bank.example" }],
			owner: "payments",
			ticket: "SEC-1",
			reason: "settlement",
			reviewBy: "2027-01-31",
			since: "2026-01-01T00:00:00Z",
		});
		const [exemption] = exemptions as readonly Readonly<Record<string, unknown>>[];
		assert.equal(exemption?.rule, "serviceentry-host-shadow");
		assert.ok(Number(exemption?.daysLeft) > 20_000);
	});

	it("inventory shows whom the waypoint refuses, and one row for each way to a host", async () => {
		const { hosts } = await json(
			worldFile(bank, intern, waypoint, api, guard, entry("intern/api", "api.bank.example", {}, {})),
		);
		assert.deepEqual(
			hosts.map(({ way, can, gap, refused }) => ({ way, can, gap, refused })),
			[
				{ way: "waypoint", can: ["bank"], gap: [], refused: [] },
				{ way: "direct", can: ["intern"], gap: ["intern"], refused: [] },
			],
		);
		const closed = await json(worldFile(bank, intern, waypoint, api, guard));
		assert.deepEqual(closed.hosts[0]?.refused, ["intern"]);
	});

	it("inventory names the namespaces whose other ServiceAccounts get there, until something refuses them", async () => {
		const limited = namespace("bank", { "allowed-service-accounts": "settle" });
		const { hosts } = await json(worldFile(limited, waypoint, api));
		assert.deepEqual(hosts[0]?.unnamed, ["bank"]);
		assert.deepEqual(hosts[0]?.gap, []);
		const { out } = await run(worldFile(limited, namespace("shop"), waypoint, api));
		assert.match(out, / +all +other ServiceAccounts of bank +payments/);
		const only = policy("bank/only", "api", {
			action: "DENY",
			rules: [{ from: [{ source: { namespaces: ["bank"], notPrincipals: ["*/ns/bank/sa/settle"] } }] }],
		});
		assert.deepEqual((await json(worldFile(limited, waypoint, api, only))).hosts[0]?.unnamed, []);
	});

	it("inventory knows TLS that the waypoint begins", async () => {
		const ports = [{ number: 80, name: "http", protocol: "HTTP", targetPort: 443 }];
		const rule = {
			apiVersion: "networking.istio.io/v1",
			kind: "DestinationRule",
			metadata: { name: "api", namespace: "bank" },
			spec: { host: "api.bank.example", trafficPolicy: { tls: { mode: "SIMPLE" } } },
		};
		const plain = entry("bank/api", "api.bank.example", { ports });
		assert.equal((await json(worldFile(bank, waypoint, plain, rule))).hosts[0]?.tls, "originated");
		assert.equal((await json(worldFile(bank, waypoint, plain))).hosts[0]?.tls, "none");
	});

	it("inventory --compact writes large sets as * without some, and --diff reads them", async () => {
		const many = Array.from({ length: 10 }, (_, place) => namespace(`n${place}`));
		const place = worldFile(bank, intern, waypoint, api, ...many);
		const compact = await run(place, "--output", "json", "--compact");
		const value = JSON.parse(compact.out) as Written;
		assert.ok(validate(value), JSON.stringify(validate.errors));
		assert.deepEqual(value.hosts[0]?.may, ["*", "-intern"]);
		assert.deepEqual(value.hosts[0]?.gap, ["intern"]);
		const { code, out } = await run("--diff", file(compact.out), "--exit-code", place);
		assert.deepEqual({ code, out }, { code: 0, out: "" });
	});

	it("inventory collapses sets to a label, to all, and to all but some", async () => {
		const team = (name: string): AnyObject => {
			const one = namespace(name, { "denied-hosts": "api.bank.example" });
			return { ...one, metadata: { ...one.metadata, labels: { ...one.metadata?.labels, team: "blue" } } };
		};
		const { out } = await run(worldFile(namespace("bank"), waypoint, api, team("x"), team("y")));
		assert.match(out, /^HOST +PROTOCOL +TLS +WAY +MAY +CAN +GAP +OWNER +REVIEW BY\n/);
		assert.match(out, /through istio-egress\/egress +bank +all +team=blue \(2\) +payments +2027-01-31\n/);
	});

	it("inventory --output csv holds no formula and keeps every cell in its place", async () => {
		const hostile = described({
			owner: '=HYPERLINK("http://x.invalid","a,b")',
			reason: " \t=1+1",
			ticket: "@SUM(1)",
		});
		const { out } = await run(worldFile(bank, intern, waypoint, hostile), "--output", "csv");
		const [head = "", line = ""] = out.split("\r\n");
		assert.equal(head.split(",").length, 15);
		assert.match(line, /,"'=HYPERLINK\(""http:\/\/x\.invalid"",""a,b""\)",'@SUM\(1\),/);
		assert.doesNotMatch(line, /(?:^|,)"?\s*[=+@-]/);
	});

	it("inventory --output markdown shows what objects say as text", async () => {
		const hostile = described({ owner: "<img src=x> | [a](http://x.invalid) `b`", reason: "two\u0007lines" });
		const { out } = await run(worldFile(bank, intern, waypoint, hostile), "--output", "markdown");
		assert.match(out, /\| &lt;img src=x&gt; \\\| \\\[a\\\]\\\(http&#58;\/\/x\.invalid\\\) \\`b\\` \|/);
		assert.equal(out.trimEnd().split("\n").length, 3);
	});
});

describe("inventory --output html", () => {
	it("inventory --output html is one page that asks for nothing and takes nothing from objects as HTML", async () => {
		const hostile = described({ owner: '</script><img src=x onerror=alert(1)> & "' });
		const { code, out } = await run(
			worldFile(bank, waypoint, hostile),
			"--output",
			"html",
			"--name",
			'<b>&"',
		);
		assert.equal(code, 0);
		assert.match(out, /<title>Egress map of &lt;b&gt;&amp;&quot;, /);
		assert.doesNotMatch(out, /<img|onerror=alert\(1\)>|src="|href="(?!data:,")|@import|url\(/);
		assert.equal(out.match(/<script/g)?.length, 2);
		assert.match(out, /Content-Security-Policy" content="default-src 'none'/);
		const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(out)?.[1] ?? "";
		const { rows } = JSON.parse(data) as { readonly rows: readonly { readonly owner: string }[] };
		assert.equal(rows[0]?.owner, '</script><img src=x onerror=alert(1)> & "');
	});
});

describe("inventory --diff", () => {
	it("inventory --diff names what was added, removed, widened, narrowed and changed", async () => {
		const open = entry("bank/open", "b.bank.example");
		const before = worldFile(
			bank,
			intern,
			waypoint,
			api,
			open,
			entry("bank/gone", "c.bank.example"),
			entry("bank/bound", "d.bank.example"),
			policy("bank/guard", "open", {
				action: "DENY",
				rules: [{ from: [{ source: { namespaces: ["intern"] } }] }],
			}),
		);
		const old = file((await run(before, "--output", "json")).out);
		const after = worldFile(
			bank,
			intern,
			waypoint,
			api,
			guard,
			open,
			entry("bank/new", "e.bank.example"),
			entry("bank/bound", "d.bank.example", {}, {}),
		);
		const { code, out } = await run("--diff", old, "--exit-code", after);
		assert.equal(code, 1);
		assert.equal(
			out,
			[
				"< narrowed api.bank.example:443/TLS – no longer: intern",
				"> widened b.bank.example:443/TLS – can now: intern",
				"- removed c.bank.example:443/TLS – no longer: bank, intern",
				"~ changed d.bank.example:443/TLS – way waypoint istio-egress/egress → direct",
				"+ added e.bank.example:443/TLS – can now: bank, intern",
				"",
			].join("\n"),
		);
		const changes: unknown = JSON.parse((await run("--diff", old, "--output", "json", after)).out);
		assert.ok(validate(changes), JSON.stringify(validate.errors));
		assert.match(
			(await run("--diff", old, "--output", "markdown", after)).out,
			/^- narrowed api\.bank\.example:443\/TLS/,
		);
	});

	it("inventory --diff exits with 0 where nothing changed, and with 65 for what is no inventory", async () => {
		const old = file((await run(world, "--output", "json")).out);
		assert.deepEqual(await run("--diff", old, "--exit-code", world), { code: 0, out: "", error: "" });
		assert.equal((await run("--diff", file("{}"), world)).code, 65);
		assert.equal((await run("--diff", join(folder, "absent.json"), world)).code, 65);
		assert.equal((await run("--diff", old, "--output", "csv", world)).code, 64);
	});
});

describe("inventory --merge", () => {
	it("inventory is named as the configuration calls the cluster, unless --name says otherwise", async () => {
		const config = file("audit: {cluster: west}\n");
		const named = async (...argv: readonly string[]): Promise<unknown> =>
			((await json(world, "--config", config, ...argv)) as { readonly cluster?: unknown }).cluster;
		assert.equal(await named(), "west");
		assert.equal(await named("--name", "east"), "east");
	});

	it("inventory --merge joins clusters, each row with its own", async () => {
		const one = file((await run(world, "--output", "json", "--name", "east", "--compact")).out);
		const two = file((await run(world, "--output", "json")).out);
		const merged = (await json("--merge", one, two)) as Written & { readonly clusters: unknown };
		assert.deepEqual(merged.clusters, ["east", "cluster 2"]);
		assert.deepEqual(
			merged.hosts.map(({ cluster, can }) => ({ cluster, can })),
			[
				{ cluster: "cluster 2", can: ["bank", "intern"] },
				{ cluster: "east", can: ["bank", "intern"] },
			],
		);
		assert.equal(
			(await run("--merge", one, two)).out,
			(await run("--merge", one, two, "--output", "json")).out,
		);
		assert.equal((await run("--merge", one, "--output", "csv")).code, 64);
		assert.equal((await run("--merge")).code, 64);
	});

	it("inventory --merge refuses two of one name, whose rows could not be told apart, and says which", async () => {
		const one = file((await run(world, "--output", "json", "--name", "east")).out);
		const two = file((await run(world, "--output", "json", "--name", "cluster 1")).out);
		const nameless = file((await run(world, "--output", "json")).out);
		for (const [first, second, name] of [
			[one, one, "east"],
			[nameless, two, "cluster 1"],
		] as const) {
			const { code, out, error } = await run("--merge", first, second);
			assert.deepEqual([code, out], [65, ""]);
			assert.equal(
				error,
				`waymark: ${second}: calls its cluster "${name}", as ${first} does; write one of them with another --name\n`,
			);
		}
		assert.equal((await run("--merge", nameless, nameless)).code, 0, "called by their places");
	});
});

describe("waymark inventory --namespace", () => {
	const own = entry("intern/wiki", "wiki.example.org");
	const world = worldFile(waypoint, bank, intern, api, own);

	it("lists what a namespace declares, may reach or can reach, and nothing else", async () => {
		const hosts = async (name: string): Promise<readonly unknown[]> =>
			(await json("-n", name, world)).hosts.map(({ host }) => host);
		assert.ok((await hosts("intern")).includes("wiki.example.org"));
		for (const row of (await json("-n", "intern", world)).hosts) {
			const sets = [row.may, row.can].flatMap((each) => each as readonly string[]);
			const declaring = (row.declaredBy as readonly { readonly namespace: string }[]).map(
				(each) => each.namespace,
			);
			assert.ok([...sets, ...declaring].includes("intern"), JSON.stringify(row));
		}
		const { out, error, code } = await run("-n", "nobody", world, "--output", "json");
		assert.deepEqual([code, (JSON.parse(out) as Written).hosts], [0, []]);
		assert.match(error, /there is no namespace "nobody" in what was read/);
	});

	it("is refused where whole inventories are compared", async () => {
		const { code, error } = await run("--diff", "old.json", "-n", "shop", world);
		assert.equal(code, 64);
		assert.match(error, /they take no --namespace/);
	});
});
