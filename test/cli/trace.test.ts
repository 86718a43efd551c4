import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { main } from "../../src/main.ts";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
	withSpec,
} from "../../src/rules/examples.ts";

const folder = mkdtempSync(join(tmpdir(), "waymark-trace-"));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, "world.json");
const other = {
	...egressNamespace,
	metadata: { name: "other", labels: { "istio.io/dataplane-mode": "ambient" } },
};
const shadow = { ...plainEntry, metadata: { name: "shadow", namespace: "other" } };
const unknown = withSpec(
	{ ...boundEntry, metadata: { ...boundEntry.metadata, name: "none" } },
	{ hosts: ["none.example.com"], resolution: "NONE" },
);
writeFileSync(
	file,
	JSON.stringify({
		apiVersion: "v1",
		kind: "List",
		items: [teamNamespace, egressNamespace, egressWaypoint, other, boundEntry, shadow, unknown],
	}),
);

async function run(
	...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
	let out = "";
	let error = "";
	const code = await main(argv, {
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

function conforms(schema: string, value: unknown): void {
	const text = readFileSync(new URL(`../../docs/schemas/${schema}.schema.json`, import.meta.url), "utf8");
	const validate = new Ajv2020({ strict: true, allowUnionTypes: true, formats: { uri: true } }).compile(
		JSON.parse(text),
	);
	assert.ok(validate(value), JSON.stringify(validate.errors));
}

it("trace HOST:PORT shows the way through the waypoint", async () => {
	const { code, out } = await run("trace", "api.payments.example.com:443", "--from", "team", file);
	assert.equal(code, 0);
	assert.match(
		out,
		/✓ ServiceEntry team\/payments answers for api\.payments\.example\.com: the client's own namespace comes first/,
	);
	assert.match(out, /✓ Bound to waypoint istio-egress\/egress by its own label/);
	assert.match(out, /→ through istio-egress\/egress\n$/);
});

it("trace shows the shadow that a client's own namespace has", async () => {
	const { out } = await run("trace", "API.payments.example.com.", "--from", "other", file);
	assert.match(out, /ServiceEntry other\/shadow answers/);
	assert.match(out, /ServiceEntry team\/payments has api\.payments\.example\.com too, and is hidden by it/);
	assert.match(out, /→ directly, past every waypoint\n$/);
});

it("trace tells a host without an address from one that nobody declares", async () => {
	const { out } = await run("trace", "none.example.com", "--from", "team", file);
	assert.match(out, /ServiceEntry team\/none has none\.example\.com, but it has no address/);
	assert.match(out, /→ unknown to the mesh/);
});

it("trace tells of a port that the waypoint closes", async () => {
	const { out } = await run(
		"trace",
		"api.payments.example.com:80",
		"--from",
		"team",
		"--output",
		"json",
		file,
	);
	const route: unknown = JSON.parse(out);
	conforms("trace", route);
	assert.deepEqual((route as { readonly outcome: unknown }).outcome, {
		kind: "blocked",
		waypoint: "istio-egress/egress",
		text: "blocked: istio-egress/egress closes the connection",
	});
});

it("trace --all writes JSON of its schema, one item for each host", async () => {
	const { out } = await run("trace", "--all", "--output", "json", file);
	const report = JSON.parse(out) as { readonly hosts: readonly { readonly name: string }[] };
	conforms("trace", report);
	assert.deepEqual(
		report.hosts.map((each) => each.name),
		["shadow", "none", "payments"],
	);
});

it("trace exits with 64 for a question that makes no sense, and with 65 for input that it cannot read", async () => {
	assert.equal((await run("trace", "api.example.com", file)).code, 64);
	assert.equal((await run("trace", "api.example.com:99999", "--from", "team", file)).code, 64);
	assert.equal(
		(await run("trace", "api.example.com", "--from", "team", join(folder, "absent.yaml"))).code,
		65,
	);
});

it("rules --output json describes every rule as its schema says", async () => {
	const { code, out } = await run("rules", "--output", "json");
	assert.equal(code, 0);
	conforms("rules", JSON.parse(out));
});

it("trace says what it left unread, and shows the way all the same", async () => {
	const template = join(folder, "template.yaml");
	writeFileSync(template, "{{- if .Values.on }}\napiVersion: v1\nkind: Namespace\n{{- end }}\n");
	const { code, out, error } = await run("trace", "--all", file, template);
	assert.equal(code, 0);
	assert.notEqual(out, "");
	assert.match(error, /^waymark: note: .*template\.yaml:1: .*[Hh]elm/m);
});

it("explain shows a rule's page and suggests rules for a name that is none", async () => {
	const known = await run("explain", "serviceentry-host-name");
	assert.equal(known.code, 0);
	assert.match(known.out, /^serviceentry-host-name\nvalidity · error · ServiceEntry\n/);
	for (const copied of [
		"https://docs.example.com/rules/serviceentry-host-name",
		"https://docs.example.com/rules/serviceentry-host-name.html#why",
		"docs/rules/serviceentry-host-name.md",
	]) {
		assert.equal((await run("explain", copied)).out, known.out);
	}
	const mistyped = await run("explain", "serviceentri-hostname");
	assert.match(mistyped.error, /did you mean .*serviceentry-host-name/);
	const wrong = await run("explain", "host-name");
	assert.equal(wrong.code, 64);
	assert.match(wrong.error, /did you mean serviceentry-host-name/);
});

const bank = {
	apiVersion: "v1",
	kind: "Namespace",
	metadata: {
		name: "intern",
		labels: { "istio.io/dataplane-mode": "ambient" },
		annotations: { "egress.waymark.dev/denied-hosts": "api.payments.example.com" },
	},
};
const guard = {
	apiVersion: "security.istio.io/v1",
	kind: "AuthorizationPolicy",
	metadata: { name: "guard", namespace: "team" },
	spec: {
		action: "DENY",
		targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "payments" }],
		rules: [{ from: [{ source: { namespaces: ["intern"] } }] }],
	},
};

async function traceIn(items: readonly object[], ...argv: readonly string[]): Promise<string> {
	const place = join(folder, "reach.json");
	writeFileSync(place, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
	const { code, out, error } = await run("trace", ...argv, place);
	assert.equal(code, 0, error);
	return out;
}

const reachWorld: readonly object[] = [teamNamespace, egressNamespace, egressWaypoint, boundEntry, bank];

it("trace says that a policy does not allow a host, and that nothing enforces it", async () => {
	const out = await traceIn(reachWorld, "api.payments.example.com:443", "--from", "intern");
	assert.match(
		out,
		/✗ intern's policy does not allow api\.payments\.example\.com, and nothing enforces it\n/,
	);
	assert.match(out, /denied-hosts api\.payments\.example\.com forbids it/);
	assert.match(out, /→ through istio-egress\/egress\n$/);
});

it("trace names the AuthorizationPolicy that refuses a connection at the waypoint", async () => {
	const out = await traceIn([...reachWorld, guard], "api.payments.example.com:443", "--from", "intern");
	assert.match(out, /✓ intern's policy does not allow api\.payments\.example\.com\n/);
	assert.match(out, /✓ intern is refused at the waypoint by AuthorizationPolicy team\/guard\n/);
	assert.match(out, /→ refused at istio-egress\/egress\n$/);
	const json: unknown = JSON.parse(
		await traceIn(
			[...reachWorld, guard],
			"api.payments.example.com:443",
			"--from",
			"intern",
			"--output",
			"json",
		),
	);
	conforms("trace", json);
	assert.deepEqual((json as { readonly outcome: unknown }).outcome, {
		kind: "refused",
		waypoint: "istio-egress/egress",
		text: "refused at istio-egress/egress",
	});
});

it("trace says so when the waypoint refuses what the policy allows", async () => {
	const wide = { ...guard, spec: { ...guard.spec, rules: [{}] } };
	const out = await traceIn([...reachWorld, wide], "api.payments.example.com:443", "--from", "team");
	assert.match(out, /✗ team is refused at the waypoint by AuthorizationPolicy team\/guard\n/);
	assert.match(out, /team's policy allows it/);
});

it("trace --service-account asks for the pods of one service account", async () => {
	const accounts = {
		...bank,
		metadata: { ...bank.metadata, annotations: { "egress.waymark.dev/allowed-service-accounts": "web" } },
	};
	const world = [...reachWorld.filter((each) => each !== bank), accounts];
	const ask = (account: string): Promise<string> =>
		traceIn(world, "api.payments.example.com:443", "--from", "intern", "--service-account", account);
	assert.match(
		await ask("job"),
		/✗ intern's policy does not allow service account job to reach api\.payments\.example\.com, and nothing enforces it/,
	);
	assert.doesNotMatch(await ask("web"), /does not allow/);
});
