import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { GeneratedBundle } from "../support/generated-bundles.ts";
import { bases, makeBundle, plansOf } from "../support/generated-bundles.ts";
import { runVerb } from "../support/run-verb.ts";
import type { KubeObject } from "./api.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces } from "./world.ts";

const plane = await useControlPlane();
const folder = mkdtempSync(join(tmpdir(), "waymark-orders-"));
const edge = "orders-waypoints";
// WAYMARK_MIGRATE_ORDERS=12 is the long form.
const count = Number(process.env.WAYMARK_MIGRATE_ORDERS ?? bases.length);

interface Way {
	readonly bundle: GeneratedBundle;
	readonly out: string;
	readonly report: string;
}

/** Bundles of every kind whose migration is whole: what is held back has no orders. */
async function waysOut(): Promise<readonly Way[]> {
	const byBase = Map.groupBy(plansOf(11, 120), ({ base }) => base);
	// Of each kind in turn, twice as many as are wanted: some are held back, or refused by istiod.
	const spread = Array.from({ length: Math.ceil((count * 2) / bases.length) }, (_, turn) =>
		bases.flatMap((base) => byBase.get(base)?.[turn] ?? []),
	).flat();
	const ways: Way[] = [];
	for (const [index, { base, features }] of spread.entries()) {
		const bundle = makeBundle(`o${index}x`, base, features);
		const out = join(folder, String(index));
		writeFileSync(`${out}.yaml`, bundle.text);
		// One half binds to a waypoint that is there, the other to new ones of their own namespaces.
		const waypoint = index % 2 === 0 ? ["--waypoint", `${edge}/shared`] : [];
		const { code, error } = await runVerb("migrate", `${out}.yaml`, "--out", out, ...waypoint);
		assert.ok(code < 2, error);
		const report = readFileSync(join(out, "REPORT.md"), "utf8");
		if (report.includes("## Order") && (await isTaken(bundle))) {
			ways.push({ bundle, out, report });
		}
	}
	return ways.slice(0, count);
}

/** Whether istiod takes the bundle: some generated ones say what it refuses. */
async function isTaken({ objects }: GeneratedBundle): Promise<boolean> {
	const verdicts = await Promise.all(
		(objects as unknown as readonly KubeObject[]).map((object) => plane.istiod.validate(object)),
	);
	return verdicts.every(({ allowed }) => allowed);
}

/** The commands of a part of the report, in their order; asking pods for numbers needs pods. */
function commandsOf(report: string, from: string, to: string): readonly string[] {
	const part = report.slice(report.indexOf(from), report.indexOf(to, report.indexOf(from) + from.length));
	return [...part.matchAll(/^ +(kubectl .*)$/gm)].map(([, command = ""]) => command);
}

async function carryOut(commands: readonly string[], out: string): Promise<void> {
	for (const command of commands) {
		const words = command
			.split(" ")
			.slice(1)
			.map((word) => (word.endsWith("/") ? join(out, word) : word));
		const { code, stderr } = await plane.kubectl(words);
		assert.equal(code, 0, `${command}: ${stderr}`);
	}
}

/** What a person wrote into the objects of a bundle's namespaces, as the API server has it. */
async function stateOf({ bundle }: Way): Promise<ReadonlyMap<string, unknown>> {
	const wanted = [
		...new Set(bundle.objects.map((object) => `${String(object.kind)}.${groupOf(object)}`)),
		"Gateway.gateway.networking.k8s.io",
		"HTTPRoute.gateway.networking.k8s.io",
		"DestinationRule.networking.istio.io",
		"AuthorizationPolicy.security.istio.io",
		"VirtualService.networking.istio.io",
	];
	const namespaces = new Set(
		bundle.objects.map(({ metadata }) => (metadata as KubeObject["metadata"]).namespace),
	);
	const state = new Map<string, unknown>();
	for (const namespace of namespaces) {
		const { stdout, code, stderr } = await plane.kubectl([
			"get",
			[...new Set(wanted)].join(","),
			"-n",
			namespace ?? "",
			"-o",
			"json",
		]);
		assert.equal(code, 0, stderr);
		const { items } = JSON.parse(stdout) as {
			readonly items: readonly (KubeObject & { readonly spec?: unknown })[];
		};
		for (const { kind, metadata, spec } of items) {
			if (JSON.stringify([metadata.name, metadata.namespace]).includes(nameOf(bundle))) {
				const { labels } = metadata as { readonly labels?: unknown };
				state.set(`${kind} ${metadata.namespace}/${metadata.name}`, { labels: labels ?? {}, spec });
			}
		}
	}
	return state;
}

const nameOf = ({ host }: GeneratedBundle): string => host.split(".")[1] ?? "";

function groupOf({ apiVersion }: Readonly<Record<string, unknown>>): string {
	return String(apiVersion).split("/")[0] ?? "";
}

async function goThereAndBack(way: Way): Promise<void> {
	const { bundle, out, report } = way;
	const { code, stderr } = await plane.kubectl(["apply", "-f", `${out}.yaml`]);
	assert.equal(code, 0, stderr);
	const before = await stateOf(way);
	assert.equal(before.size, bundle.objects.length);
	const order = commandsOf(report, "## Order", "### Back");
	assert.ok(order.length > 1, report);
	await carryOut(order, out);
	const after = await stateOf(way);
	const left = [...after.keys()].filter((key) => !before.has(key) || after.get(key) !== before.get(key));
	assert.ok(left.length > 0, "something stands in the place of the old way");
	for (const gateway of bundle.objects.filter(({ kind }) => kind === "Gateway")) {
		const { namespace, name } = gateway.metadata as KubeObject["metadata"];
		assert.ok(!after.has(`Gateway ${namespace}/${name}`), `Gateway ${name} is gone`);
	}
	await carryOut(commandsOf(report, "### Back", "\n## "), out);
	assert.deepEqual(await stateOf(way), before, `${bundle.base}: the way back leads back`);
}

test("every order of a report can be carried out, and the way back leads to what was there before", async (context) => {
	const ways = await waysOut();
	assert.equal(ways.length, count);
	const namespaces = [edge, ...new Set(ways.map(({ bundle }) => nameOf(bundle)))];
	await Promise.all([...namespaces, "istio-system"].map((name) => createNamespace(plane, name)));
	try {
		await createWaypoint(plane, edge, "shared", { from: { from: "All" } });
		await Promise.all(ways.map(goThereAndBack));
		context.diagnostic(`${ways.map(({ bundle }) => bundle.base).join(", ")}: there and back`);
	} finally {
		await Promise.all(
			ways.map(({ out }) => plane.kubectl(["delete", "-f", `${out}.yaml`, "--ignore-not-found"])),
		);
		await deleteNamespaces(plane, ...namespaces);
		rmSync(folder, { recursive: true });
	}
});
