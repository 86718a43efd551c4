import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ClusterState } from "../../src/core/cluster-state.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { Subject, Verdict } from "../../src/core/evaluate.ts";
import type { Inventory } from "../../src/core/inventory.ts";
import type { AnyObject, Kind, Resources } from "../../src/core/kinds.ts";
import { conformsToKind, kindOfObject } from "../../src/core/kinds.ts";
import type { MeshFacts } from "../../src/core/mesh.ts";
import type { Rule } from "../../src/core/rule.ts";
import type { Settings, SettingsFile } from "../../src/core/settings.ts";

/** What a checkout of Waymark, this one or another, judges with; so much of its interface as both have. */
export interface Tree {
	readonly root: string;
	readonly rules: readonly Rule[];
	/** Whether it knows the kind of an object. */
	knows(object: AnyObject): boolean;
	createEngine(rules: readonly Rule[]): Engine;
	fixingPart(engine: Engine): Engine;
	evaluate(engine: Engine, inventory: Inventory, subject: Subject): Verdict;
	/** A cluster of these objects. */
	world(given: Given): ClusterState;
}

/** What a cluster holds, says and is known to do. */
export interface Given {
	readonly objects: readonly AnyObject[];
	readonly settings?: SettingsFile;
	readonly mesh?: Partial<MeshFacts>;
	readonly offline?: boolean;
}

interface Modules {
	createEngine(rules: readonly Rule[]): Engine;
	fixingPart(engine: Engine): Engine;
	evaluate(engine: Engine, inventory: Inventory, subject: Subject): Verdict;
	parseSettings(file: SettingsFile): { readonly settings: Settings };
	readonly ClusterState: typeof ClusterState;
	readonly allKinds: readonly Kind[];
	readonly rules: readonly Rule[];
}

const files: readonly string[] = [
	"core/evaluate.ts",
	"core/engine.ts",
	"core/inventory.ts",
	"core/cluster-state.ts",
	"core/settings.ts",
	"core/kinds.ts",
	"rules/table.ts",
];

/** Loads a checkout; its modules are its own, so two of them do not meet. */
export async function loadTree(root: string): Promise<Tree> {
	const paths = files.map((file) => join(resolve(root), "src", file)).filter((path) => existsSync(path));
	const loaded = await Promise.all(paths.map((path) => import(pathToFileURL(path).href)));
	// Which file exports what differs between the checkouts; together they export all of this.
	const modules = Object.assign({}, ...loaded) as Modules;
	const known = new Set<Kind | undefined>(modules.allKinds);
	const knows = (object: AnyObject): boolean => known.has(kindOfObject(object));
	return {
		root,
		rules: modules.rules,
		knows,
		createEngine: modules.createEngine,
		fixingPart: modules.fixingPart,
		evaluate: modules.evaluate,
		world: ({ objects, settings = {}, mesh = {}, offline = false }) => {
			const state = new modules.ClusterState(modules.parseSettings(settings).settings, { offline });
			for (const object of objects) {
				const kind = kindOfObject(object);
				// As a watch and a lint do: what the API server would refuse is in no cluster, and no kind that it cannot keep.
				if (kind !== undefined && knows(object) && conformsToKind(kind, object)) {
					state.set(kind, object as Resources[Kind]);
				}
			}
			state.learn(mesh);
			return state;
		},
	};
}
