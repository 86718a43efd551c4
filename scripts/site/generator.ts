import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** A token of markdown-it: what is read here of it. */
export interface Token {
	readonly type: string;
	readonly tag: string;
	content: string;
	readonly children: Token[] | null;
	attrGet(name: string): string | null;
	attrSet(name: string, value: string): void;
}

/** What markdown-it gives to its rules: the page's own data under `env`. */
export interface MarkdownState {
	readonly tokens: Token[];
	readonly env: unknown;
	readonly Token: new (type: string, tag: string, nesting: -1 | 0 | 1) => Token;
}

/** A reader of Markdown (markdown-it). */
export interface Markdown {
	readonly core: {
		readonly ruler: { push(name: string, rule: (state: MarkdownState) => void): void };
	};
	readonly renderer: { readonly rules: Record<string, (() => string) | undefined> };
	parse(text: string, env: object): Token[];
	use(plugin: unknown, options?: object): Markdown;
}

/** What the generator is told before it runs (Eleventy's configuration). */
export interface GeneratorSettings {
	addTemplate(path: string, content: string, data: object): void;
	addGlobalData(name: string, value: unknown): void;
	addPassthroughCopy(paths: Readonly<Record<string, string>>): void;
	addPlugin(plugin: unknown): void;
	addFilter(name: string, filter: (value: string) => unknown): void;
	setIncludesDirectory(path: string): void;
	setTemplateFormats(formats: readonly string[]): void;
	setLibrary(name: "md", library: Markdown): void;
}

/** The generator's packages, which a package of their own holds, so that the main one stays small. */
export interface Generator {
	readonly Eleventy: new (
		input: string,
		output: string,
		options: { quietMode: boolean; configPath: string; config(settings: GeneratorSettings): void },
	) => { write(): Promise<unknown> };
	readonly highlight: unknown;
	readonly anchor: unknown;
	readonly markdownIt: (options: object) => Markdown;
	/** The file of the search library as browsers load it. */
	readonly searchLibrary: string;
}

/** Where the generator's package is, from the root of the repository. */
export const generatorFolder = "tools/site";

/** Whether what the lock file names is installed. */
export function isInstalled(root: string): boolean {
	const folder = join(root, generatorFolder);
	const installed = join(folder, "node_modules/.package-lock.json");
	if (!existsSync(installed)) {
		return false;
	}
	const there = packagesOf(installed);
	return [...packagesOf(join(folder, "package-lock.json"))].every(
		([path, { version, optional, extraneous }]) =>
			optional === true || extraneous === true || there.get(path)?.version === version,
	);
}

interface LockedPackage {
	readonly version: string;
	readonly optional?: boolean;
	readonly extraneous?: boolean;
}

function packagesOf(lockFile: string): ReadonlyMap<string, LockedPackage> {
	const { packages } = JSON.parse(readFileSync(lockFile, "utf8")) as {
		readonly packages: Readonly<Record<string, LockedPackage>>;
	};
	return new Map(Object.entries(packages).filter(([path]) => path !== ""));
}

/** Loads the generator's packages from their own folder. */
export async function loadGenerator(root: string): Promise<Generator> {
	const folder = join(root, generatorFolder);
	const { packages } = (await import(pathToFileURL(join(folder, "packages.js")).href)) as {
		readonly packages: Omit<Generator, "searchLibrary">;
	};
	return { ...packages, searchLibrary: join(folder, "node_modules/minisearch/dist/umd/index.js") };
}
