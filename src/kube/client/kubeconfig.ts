import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { ExecConfig } from "./exec-plugin.ts";

/** A cluster of a kubeconfig (client-go tools/clientcmd/api/v1 Cluster), as far as it is used. */
export interface KubeconfigCluster {
	readonly server?: string;
	readonly "certificate-authority"?: string;
	readonly "certificate-authority-data"?: string;
	readonly "insecure-skip-tls-verify"?: boolean;
	readonly "tls-server-name"?: string;
	readonly "proxy-url"?: string;
}

/** A user of a kubeconfig (client-go tools/clientcmd/api/v1 AuthInfo), as far as it is used. */
export interface KubeconfigUser {
	readonly "client-certificate"?: string;
	readonly "client-certificate-data"?: string;
	readonly "client-key"?: string;
	readonly "client-key-data"?: string;
	readonly token?: string;
	readonly tokenFile?: string;
	readonly username?: string;
	readonly password?: string;
	readonly as?: string;
	readonly "as-groups"?: readonly string[];
	readonly exec?: ExecConfig;
	readonly "auth-provider"?: AuthProvider;
}

/** A way to log in that client-go once knew by name. */
export interface AuthProvider {
	readonly name?: string;
	readonly config?: Readonly<Record<string, string>>;
}

/** An entry with the folder of the file that it stands in: its relative paths start there. */
interface Placed<T> {
	readonly value: T;
	readonly folder: string;
}

/** Several kubeconfig files as one. */
interface Merged {
	/** The files that were there. */
	readonly files: readonly string[];
	readonly currentContext: string;
	readonly contexts: ReadonlyMap<string, Placed<ContextEntry>>;
	readonly clusters: ReadonlyMap<string, Placed<KubeconfigCluster>>;
	readonly users: ReadonlyMap<string, Placed<KubeconfigUser>>;
}

interface ContextEntry {
	readonly cluster?: string;
	readonly user?: string;
	readonly namespace?: string;
}

/** Which kubeconfig files, and what of them. */
export interface KubeconfigChoice {
	/** In the order in which they count. */
	readonly files: readonly string[];
	/** Whether a file that is not there is a mistake, rather than one of a list that may lack some. */
	readonly mustExist: boolean;
	/** The context; the current one when undefined. */
	readonly context: string | undefined;
}

/** What a context names. */
export interface ChosenContext {
	/** How to speak of it: the file, or the files, that it comes from. */
	readonly source: string;
	readonly server: URL;
	readonly cluster: Placed<KubeconfigCluster>;
	readonly user: Placed<KubeconfigUser>;
	/** The namespace that the context is about; undefined when it names none. */
	readonly namespace: string | undefined;
}

/**
 * Reads kubeconfig files and finds the chosen context in them, as client-go does (tools/clientcmd/loader.go): the first
 * file that names a context, a cluster or a user has it whole, and the first current-context counts. Undefined when none
 * of the files is there. Throws an error of one line for everything that is wrong with them.
 */
export async function readContext(choice: KubeconfigChoice): Promise<ChosenContext | undefined> {
	const merged = await merge(choice);
	if (merged === undefined) {
		return undefined;
	}
	const source = merged.files.join(", ");
	const name = choice.context ?? merged.currentContext;
	const context = merged.contexts.get(name)?.value;
	const cluster = merged.clusters.get(context?.cluster ?? "");
	if (context === undefined || cluster?.value.server === undefined || cluster.value.server === "") {
		throw new Error(
			`Cannot use kubeconfig ${source}: context ${JSON.stringify(name)} names no cluster with a server${listing(merged.contexts, context === undefined)}`,
		);
	}
	const proxy = cluster.value["proxy-url"];
	if (proxy !== undefined && proxy !== "" && !/^https?:/.test(proxy)) {
		throw new Error(`Cannot use kubeconfig ${source}: proxy-url must be http or https`);
	}
	const user = context.user ? merged.users.get(context.user) : { value: {}, folder: cluster.folder };
	if (user === undefined) {
		throw new Error(
			`Cannot use kubeconfig ${source}: context ${JSON.stringify(name)} names user ${JSON.stringify(context.user)}, which is not there`,
		);
	}
	return {
		source,
		server: serverOf(cluster.value, source),
		cluster,
		user,
		namespace: context.namespace || undefined,
	};
}

/** More contexts than this are no help. */
const mostContexts = 10;

function listing(contexts: ReadonlyMap<string, unknown>, isAsked: boolean): string {
	if (!isAsked || contexts.size === 0) {
		return "";
	}
	const names = [...contexts.keys()].slice(0, mostContexts).map((name) => JSON.stringify(name));
	const rest = contexts.size - names.length;
	return `; there is ${names.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** client-go (rest/url_utils.go DefaultServerURL) takes a server without a scheme, and TLS for it where a CA is named. */
function serverOf(cluster: KubeconfigCluster, source: string): URL {
	const text = cluster.server ?? "";
	const hasTls =
		Boolean(cluster["certificate-authority"]) ||
		Boolean(cluster["certificate-authority-data"]) ||
		cluster["insecure-skip-tls-verify"] === true;
	const whole = /^[a-z]+:\/\//i.test(text) ? text : `${hasTls ? "https" : "http"}://${text}`;
	const server = URL.parse(whole);
	if (server === null || !/^https?:$/.test(server.protocol)) {
		throw new Error(`Cannot use kubeconfig ${source}: server ${JSON.stringify(text)} is no URL`);
	}
	return server;
}

async function merge({ files, mustExist }: KubeconfigChoice): Promise<Merged | undefined> {
	const present: string[] = [];
	let currentContext = "";
	const contexts = new Map<string, Placed<ContextEntry>>();
	const clusters = new Map<string, Placed<KubeconfigCluster>>();
	const users = new Map<string, Placed<KubeconfigUser>>();
	for (const file of new Set(files.filter((each) => each !== ""))) {
		const config = await readOne(file, mustExist);
		if (config === undefined) {
			continue;
		}
		present.push(file);
		const folder = dirname(resolve(file));
		const current = config["current-context"];
		currentContext ||= typeof current === "string" ? current : "";
		addNew(contexts, config.contexts, "context", folder);
		addNew(clusters, config.clusters, "cluster", folder);
		addNew(users, config.users, "user", folder);
	}
	return present.length === 0 ? undefined : { files: present, currentContext, contexts, clusters, users };
}

type Fields = Readonly<Record<string, unknown>>;

async function readOne(file: string, mustExist: boolean): Promise<Fields | undefined> {
	const { parse } = await import("yaml");
	let text: string;
	try {
		text = await readFile(file, "utf8");
	} catch (error) {
		if (!mustExist && (error as NodeJS.ErrnoException).code === "ENOENT") {
			return undefined;
		}
		throw new Error(`Cannot read kubeconfig ${file}: ${(error as Error).message}`, { cause: error });
	}
	try {
		return fieldsOf(parse(text)) ?? {};
	} catch (error) {
		throw new Error(`Cannot read kubeconfig ${file}: it is not YAML`, { cause: error });
	}
}

/** Takes the entries that have no namesake yet; what is no entry says nothing. */
function addNew<T extends object>(
	known: Map<string, Placed<T>>,
	list: unknown,
	field: string,
	folder: string,
): void {
	for (const entry of Array.isArray(list) ? list : []) {
		const { name, [field]: value } = fieldsOf(entry) ?? {};
		if (typeof name === "string" && !known.has(name)) {
			// The credentials that these give are proved by the API server, not by us.
			known.set(name, { value: (fieldsOf(value) ?? {}) as T, folder });
		}
	}
}

function fieldsOf(value: unknown): Fields | undefined {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}
