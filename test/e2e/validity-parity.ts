import { setTimeout as sleep } from "node:timers/promises";
import { definitionTexts } from "../../scripts/schema-table.ts";
import { parseSettings } from "../../src/core/settings.ts";
import { judgeManifests } from "../../src/lint/judge.ts";
import { parseManifests, worldOf } from "../../src/manifests/read.ts";
import { rules } from "../../src/rules/table.ts";
import type { MutatedObject } from "../support/mutated-objects.ts";
import { mutatedObjects } from "../support/mutated-objects.ts";
import { randomFrom } from "../support/null-worlds.ts";
import type { KubeObject } from "./api.ts";
import { applyDefinitions } from "./components.ts";
import type { ControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";

/** An object of which `lint` and the cluster do not say the same, and what each says. */
export interface Disagreement {
	readonly what: string;
	readonly object: unknown;
	readonly cluster: string | undefined;
	readonly lint: readonly string[];
}

/** What was compared. */
export interface Comparison {
	readonly taken: number;
	readonly refused: number;
	/** How many objects of each kind, by group and kind. */
	readonly kinds: ReadonlyMap<string, number>;
	readonly disagreements: readonly Disagreement[];
}

const settings = parseSettings({}).settings;

/** What `lint` has against an object as such: what the API server or istiod would refuse. */
export function lintRefusals(object: unknown): readonly string[] {
	const reading = parseManifests(JSON.stringify(object), "object.json");
	const { report } = judgeManifests(reading, {
		rules,
		inventory: worldOf(reading.manifests, settings),
		today: "2026-01-01",
		withReplacements: false,
	});
	return [
		...report.unreadable.map(({ message }) => message),
		...report.findings
			.filter(({ severity, family }) => severity === "error" && family === "validity")
			.map(({ message, rule }) => `${rule}: ${message}`),
	];
}

/** Why the API server, or istiod for a ServiceEntry, refuses an object; undefined where both take it. */
export async function clusterRefusal(plane: ControlPlane, object: KubeObject): Promise<string | undefined> {
	const { apiVersion, kind, metadata } = object as Partial<KubeObject>;
	const [group, version] = String(apiVersion).includes("/")
		? String(apiVersion).split("/")
		: ["", apiVersion];
	const isOfCluster = ["Namespace", "GatewayClass", "XMesh"].includes(String(kind));
	const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
	const scope = isOfCluster ? "" : `/namespaces/${metadata?.namespace ?? "default"}`;
	const path = `${root}${scope}/${pluralOf(String(kind))}?dryRun=All&fieldValidation=Strict`;
	const answer = await plane.api.request("POST", path, { body: object });
	if (answer.status === 429 || answer.status === 504) {
		await sleep(200);
		return clusterRefusal(plane, object);
	}
	if (answer.status >= 400 && answer.status !== 409) {
		return String((answer.body as { message?: string } | undefined)?.message ?? answer.status);
	}
	if (kind !== "ServiceEntry" || answer.status >= 400) {
		return undefined;
	}
	const verdict = await plane.istiod.validate(answer.body as KubeObject);
	return verdict.allowed ? undefined : `istiod: ${verdict.message}`;
}

function pluralOf(kind: string): string {
	const name = kind.toLowerCase();
	return /(?:s|sh)$/.test(name)
		? `${name}es`
		: name.endsWith("y") && !/[aeiou]y$/.test(name)
			? `${name.slice(0, -1)}ies`
			: `${name}s`;
}

/** Asks both about as many generated objects as are wanted. */
export async function compareValidity(plane: ControlPlane, seed: number, count: number): Promise<Comparison> {
	const objects = mutatedObjects(seed, randomFrom(seed));
	const kinds = new Map<string, number>();
	const disagreements: Disagreement[] = [];
	let asked = 0;
	let refused = 0;
	const work = async (): Promise<void> => {
		while (asked < count) {
			asked++;
			const { object, what } = objects.next().value as MutatedObject;
			const cluster = await clusterRefusal(plane, object as unknown as KubeObject);
			const lint = lintRefusals(object);
			kinds.set(what.split(":")[0] ?? "", (kinds.get(what.split(":")[0] ?? "") ?? 0) + 1);
			refused += cluster === undefined ? 0 : 1;
			if ((cluster !== undefined) !== lint.length > 0) {
				disagreements.push({ what, object, cluster, lint });
			}
		}
	};
	await Promise.all(Array.from({ length: 6 }, work));
	return { taken: asked - refused, refused, kinds, disagreements };
}

/** A control plane whose Gateway API has the fields of the experimental channel, as the table that `lint` reads. */
export async function startWithEveryField(): ReturnType<typeof startControlPlane> {
	const plane = await startControlPlane();
	await applyDefinitions(plane.api, definitionTexts());
	return plane;
}

if (import.meta.main) {
	// node test/e2e/validity-parity.ts [HOW MANY] [FIRST SEED] [SEEDS]
	const [many = "3384", first = "1", seeds = "1"] = process.argv.slice(2);
	const plane = await startWithEveryField();
	try {
		for (let seed = Number(first); seed < Number(first) + Number(seeds); seed++) {
			const { disagreements, taken, refused, kinds } = await compareValidity(plane, seed, Number(many));
			for (const { what, object, cluster, lint } of disagreements.slice(0, 60)) {
				console.log(
					`${what}\n  cluster: ${cluster ?? "takes it"}\n  lint: ${lint.join(" | ") || "takes it"}\n  ${JSON.stringify(object).slice(0, 1500)}`,
				);
			}
			console.log(
				`seed ${seed}: ${taken} taken, ${refused} refused, ${kinds.size} kinds, ${disagreements.length} disagreements`,
			);
		}
	} finally {
		await plane.stop();
	}
}
