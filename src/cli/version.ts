import { readFileSync } from "node:fs";

/** The version of Waymark, as package.json says it. */
export function ownVersion(): string {
	const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
	return (JSON.parse(text) as { readonly version: string }).version;
}
