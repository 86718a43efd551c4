import type { Verb } from "./verb.ts";

/** The verbs; each is loaded only when it is asked for, so that none pays for another's imports. */
export const verbs: ReadonlyMap<string, () => Promise<Verb>> = new Map([
	["serve", async () => (await import("./serve.ts")).serve],
	["lint", async () => (await import("./lint.ts")).lint],
	["migrate", async () => (await import("./migrate.ts")).migrate],
	["trace", async () => (await import("./trace.ts")).trace],
	["inventory", async () => (await import("./inventory.ts")).inventory],
	["export", async () => (await import("./export.ts")).exportVerb],
	["explain", async () => (await import("./explain.ts")).explain],
	["exemptions", async () => (await import("./exemptions.ts")).exemptions],
	["rules", async () => (await import("./rules.ts")).rules],
	["config", async () => (await import("./config-check.ts")).configCheck],
	["mcp", async () => (await import("./mcp.ts")).mcp],
	["completion", async () => (await import("./completion.ts")).completionOf(verbs)],
]);
