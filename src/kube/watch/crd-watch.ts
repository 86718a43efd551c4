import type { Kind } from "../../core/kinds.ts";
import { kinds } from "../../core/kinds.ts";
import type { Connection } from "../client/connection.ts";
import { KindStore } from "./kind-store.ts";
import type { ReflectorOptions } from "./reflector.ts";
import { Reflector } from "./reflector.ts";

/**
 * Watches CustomResourceDefinitions (their metadata only) and wakes the reflector of a kind that the API server did
 * not serve when its definition appears or changes. Without the permission, kinds are asked for every ten seconds.
 */
export function watchCrds(
	connection: Connection,
	reflectors: ReadonlyMap<Kind, Reflector>,
	pace: Pick<ReflectorOptions, "limits" | "now" | "random"> = {},
): { stop(): Promise<void> } {
	const byCrd = new Map(
		[...reflectors].map(([kind, reflector]) => [`${kinds[kind].plural}.${kinds[kind].group}`, reflector]),
	);
	const wake = (name: string | null | undefined): void => {
		const reflector = byCrd.get(name ?? "");
		if (reflector !== undefined && reflector.version === undefined) {
			reflector.wake();
		}
	};
	const crds = new Reflector({
		connection,
		resource: { group: "apiextensions.k8s.io", plural: "customresourcedefinitions", versions: ["v1"] },
		store: new KindStore(nameOnly, {
			replace(objects) {
				for (const { metadata } of objects) {
					wake(metadata?.name);
				}
			},
			set: ({ metadata }) => wake(metadata?.name),
			delete() {},
		}),
		metadataOnly: true,
		...pace,
	});
	crds.start();
	return { stop: () => crds.stop() };
}

function nameOnly(raw: unknown): { metadata: { name: string; resourceVersion: string } } | undefined {
	const { metadata } = (raw ?? {}) as { metadata?: { name?: unknown; resourceVersion?: unknown } | null };
	return typeof metadata?.name === "string"
		? { metadata: { name: metadata.name, resourceVersion: String(metadata.resourceVersion ?? "") } }
		: undefined;
}
