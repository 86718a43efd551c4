import assert from "node:assert/strict";
import { test } from "node:test";
import { assert as assertProperty, asyncProperty } from "fast-check";
import { ClusterState } from "../../src/core/cluster-state.ts";
import { createEngine } from "../../src/core/engine.ts";
import { evaluate } from "../../src/core/evaluate.ts";
import type { Finding } from "../../src/core/finding.ts";
import { rules } from "../../src/rules/table.ts";
import type { ValidationProblem } from "../../src/rules/validity/validation-problem.ts";
import { serviceEntry } from "../support/service-entry-arbitrary.ts";
import type { KubeObject } from "./api.ts";
import { useControlPlane } from "./shared.ts";

/** A failure prints its seed, its path and the smallest object that fails: put both into the options of `assertProperty`. */
const seeds = [11, 22, 33];
const runs = 1000;

const engine = createEngine(rules.filter((rule) => rule.family === "validity"));
const world = new ClusterState();

const plane = await useControlPlane();

/** What the CRD's schema says about an object, and where it says nothing, what istiod says about it as stored. */
interface Answer {
	readonly schema: string | undefined;
	readonly refused: readonly string[];
	readonly warned: readonly string[];
}

async function askCluster(object: KubeObject): Promise<Answer> {
	const path = await plane.api.collectionPath(
		`${object.kind}.${object.apiVersion.split("/")[0]}`,
		"default",
		object.apiVersion,
	);
	// The control plane has no webhook of istiod's: whatever the API server refuses, its schema refuses.
	const answer = await plane.api.request("POST", `${path}?dryRun=All`, { body: object });
	if (answer.status >= 400) {
		const { message } = answer.body as { message?: string };
		return { schema: message ?? String(answer.status), refused: [], warned: [] };
	}
	const verdict = await plane.istiod.validate(answer.body as KubeObject);
	return {
		schema: undefined,
		refused: verdict.allowed ? [] : errorsIn(verdict.message),
		warned: verdict.warnings,
	};
}

// hashicorp/go-multierror: one error alone, several as a list.
function errorsIn(message: string): readonly string[] {
	const text = message.replace(/^configuration is invalid: /, "");
	const errors = text.includes("occurred:") ? text.split("\n\t* ").slice(1) : [text];
	return errors.map((error) => error.trim());
}

function askWaymark(object: KubeObject): {
	readonly errors: readonly Finding[];
	readonly warnings: readonly Finding[];
} {
	const { findings, faults } = evaluate(engine, world, {
		kind: "ServiceEntry",
		namespace: "default",
		name: object.metadata.name,
		object,
		today: "2026-01-01",
	});
	assert.deepEqual(faults, []);
	return {
		errors: findings.filter((each) => each.severity === "error"),
		warnings: findings.filter((each) => each.severity === "warning"),
	};
}

/** istiod's own words for what Waymark found. */
function words(findings: readonly Finding[]): readonly string[] {
	return findings
		.flatMap((each: Finding & Partial<ValidationProblem>) => each.istiodMessage?.trim() ?? [])
		.toSorted();
}

/** istiod stops after an annotation that it refuses, and after a selector that it refuses. */
function reportedByIstiod(errors: readonly Finding[]): readonly Finding[] {
	const first = ["serviceentry-annotation-reserved", "serviceentry-workload-selector"]
		.map((rule) => errors.filter((each) => each.rule === rule))
		.find((hiding) => hiding.length > 0);
	return first ?? errors;
}

for (const seed of seeds) {
	test(`validity rules say what the CRD and istiod say of ${runs} ServiceEntries, seed ${seed}`, async () => {
		const seen = { accepted: 0, warned: 0, refusedBySchema: 0, refusedByIstiod: 0 };
		await assertProperty(
			asyncProperty(serviceEntry, async (object) => {
				const theirs = await askCluster(object);
				const ours = askWaymark(object);
				const refused = theirs.schema !== undefined || theirs.refused.length > 0;
				assert.equal(ours.errors.length > 0, refused, JSON.stringify({ theirs, ours }));
				if (theirs.schema !== undefined) {
					seen.refusedBySchema++;
				} else if (refused) {
					seen.refusedByIstiod++;
					assert.deepEqual(words(reportedByIstiod(ours.errors)), theirs.refused.toSorted());
				} else {
					seen.accepted++;
					seen.warned += theirs.warned.length > 0 ? 1 : 0;
					assert.deepEqual(words(ours.warnings), theirs.warned.toSorted());
				}
			}),
			{ seed, numRuns: runs },
		);
		console.log(`seed ${seed}: ${JSON.stringify(seen)}`);
		assert.ok(Math.min(...Object.values(seen)) > runs / 100, "the generator leaves out a kind of answer");
	});
}

for (const rule of rules.filter(({ docs }) => docs.good.apiVersion?.includes("istio.io/"))) {
	test(`the examples of ${rule.id} are what the CRD and istiod take them for`, async () => {
		const judge = async (example: unknown): Promise<readonly unknown[]> => {
			const object = inDefault(example as KubeObject);
			const { schema, refused } = await askCluster(object);
			return schema === undefined && refused.length === 0 ? [] : [schema, ...refused];
		};
		assert.deepEqual(await judge(rule.docs.good), [], "the good example is refused");
		const isRefusal = rule.family === "validity" && rule.severity === "error";
		const reasons = await judge(rule.docs.bad);
		assert.equal(reasons.length > 0, isRefusal, `the bad example: ${JSON.stringify(reasons)}`);
	});
}

function inDefault(object: KubeObject): KubeObject {
	return { ...object, metadata: { ...object.metadata, namespace: "default" } };
}
