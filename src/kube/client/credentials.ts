import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { HttpError } from "./api.ts";
import type { ExecConfig } from "./exec-plugin.ts";
import { execPlugin } from "./exec-plugin.ts";

/** TLS material, PEM. */
export interface TlsMaterial {
	readonly ca?: string;
	readonly cert?: string;
	readonly key?: string;
	readonly servername?: string;
	readonly rejectUnauthorized?: boolean;
}

/** Who we are to the API server at this moment. */
export interface Identity {
	readonly headers: Readonly<Record<string, string | string[]>>;
	readonly tls: TlsMaterial;
	readonly proxy?: string;
}

/** Where the API server is, and how to prove who we are, as tokens and certificates rotate. */
export interface Credentials {
	readonly server: URL;
	current(): Promise<Identity>;
	/** The server refused what `current` gave: the next one must be read anew. */
	distrust(): void;
}

/** Where a Pod finds its API server; the values of KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
export interface InClusterOptions {
	readonly host: string;
	readonly port: string;
	/** Folder of `token` and `ca.crt`. */
	readonly directory?: string;
}

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

// client-go re-reads once a minute too; a projected token is replaced at 80 % of its life, an hour at least.
const rereadMs = 60_000;

/** The credentials of a Pod, whose token and CA files are read again as they rotate. */
export function inClusterCredentials(options: InClusterOptions): Credentials {
	const directory = options.directory ?? serviceAccount;
	const host = options.host.includes(":") ? `[${options.host}]` : options.host;
	const token = rotatingFile(`${directory}/token`);
	const ca = rotatingFile(`${directory}/ca.crt`);
	return {
		server: new URL(`https://${host}:${options.port}`),
		current: async () => ({
			headers: { authorization: `Bearer ${(await token.read()).trim()}` },
			tls: { ca: await ca.read() },
		}),
		distrust() {
			token.distrust();
			ca.distrust();
		},
	};
}

/** A file that others replace: read again after a minute, or after distrust; the last good text outlives a bad read. */
function rotatingFile(path: string): { read(): Promise<string>; distrust(): void } {
	let text: string | undefined;
	let readAt = Number.NEGATIVE_INFINITY;
	return {
		async read() {
			if (text !== undefined && performance.now() - readAt < rereadMs) {
				return text;
			}
			try {
				text = await readFile(path, "utf8");
				readAt = performance.now();
			} catch (error) {
				if (text === undefined) {
					throw new HttpError("credentials", `Cannot read ${path}: ${(error as Error).message}`, error);
				}
			}
			return text;
		},
		distrust() {
			readAt = Number.NEGATIVE_INFINITY;
		},
	};
}

interface KubeconfigCluster {
	readonly server?: string;
	readonly "certificate-authority"?: string;
	readonly "certificate-authority-data"?: string;
	readonly "insecure-skip-tls-verify"?: boolean;
	readonly "tls-server-name"?: string;
	readonly "proxy-url"?: string;
}

interface KubeconfigUser {
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

interface AuthProvider {
	readonly name?: string;
	readonly config?: Readonly<Record<string, string>>;
}

interface Kubeconfig {
	readonly "current-context"?: string;
	readonly contexts?: readonly { name: string; context?: { cluster?: string; user?: string } }[] | null;
	readonly clusters?: readonly { name: string; cluster?: KubeconfigCluster }[] | null;
	readonly users?: readonly { name: string; user?: KubeconfigUser }[] | null;
}

/**
 * The credentials of a kubeconfig file's current context. Certificates, tokens and passwords are read here;
 * exec plugins are run when they are needed.
 */
export async function kubeconfigCredentials(
	file: string,
	context?: string,
	environment: Readonly<Record<string, string | undefined>> = {},
): Promise<Credentials> {
	const { parse } = await import("yaml");
	const text = await readFile(file, "utf8").catch((error: Error) => {
		throw new Error(`Cannot read kubeconfig ${file}: ${error.message}`, { cause: error });
	});
	let config: Kubeconfig | null;
	try {
		config = parse(text) as Kubeconfig | null;
	} catch (error) {
		throw new Error(`Cannot read kubeconfig ${file}: it is not YAML`, { cause: error });
	}
	const name = context ?? config?.["current-context"] ?? "";
	const chosen = config?.contexts?.find((entry) => entry.name === name)?.context;
	const cluster = config?.clusters?.find((entry) => entry.name === chosen?.cluster)?.cluster;
	const user = config?.users?.find((entry) => entry.name === chosen?.user)?.user ?? {};
	if (chosen === undefined || cluster?.server === undefined) {
		throw new Error(
			`Cannot use kubeconfig ${file}: context ${JSON.stringify(name)} names no cluster with a server`,
		);
	}
	const proxy = cluster["proxy-url"];
	if (proxy !== undefined && proxy !== "" && !/^https?:/.test(proxy)) {
		throw new Error(`Cannot use kubeconfig ${file}: proxy-url must be http or https`);
	}
	const server = new URL(cluster.server);
	return userCredentials({ folder: dirname(resolve(file)), environment }, server, cluster, user);
}

function userCredentials(
	start: { readonly folder: string; readonly environment: Readonly<Record<string, string | undefined>> },
	server: URL,
	cluster: KubeconfigCluster,
	user: KubeconfigUser,
): Credentials {
	// kubectl: data beats file, and relative paths start at the kubeconfig.
	const source = (data: string | undefined, path: string | undefined): Source =>
		data
			? { read: async () => Buffer.from(data, "base64").toString("utf8"), distrust() {} }
			: fileSource(start.folder, path);
	const ca = source(cluster["certificate-authority-data"], cluster["certificate-authority"]);
	const cert = source(user["client-certificate-data"], user["client-certificate"]);
	const key = source(user["client-key-data"], user["client-key"]);
	const tokenFile = fileSource(start.folder, user.tokenFile);
	const plugin =
		user.exec === undefined ? undefined : execPlugin(user.exec, { ...cluster, server: server.href }, start);
	return {
		server,
		async current() {
			const headers: Record<string, string | string[]> = {};
			const given = await plugin?.current();
			const own = user.tokenFile ? (await tokenFile.read())?.trim() : user.token;
			const token = given?.token ?? own ?? providerToken(user["auth-provider"]);
			if (token) {
				headers.authorization = `Bearer ${token}`;
			} else if (user.username) {
				headers.authorization = `Basic ${Buffer.from(`${user.username}:${user.password ?? ""}`).toString("base64")}`;
			}
			if (user.as) {
				headers["impersonate-user"] = user.as;
				headers["impersonate-group"] = [...(user["as-groups"] ?? [])];
			}
			const tls = {
				ca: await ca.read(),
				cert: given?.clientCertificateData ?? (await cert.read()),
				key: given?.clientKeyData ?? (await key.read()),
				servername: cluster["tls-server-name"] || undefined,
				rejectUnauthorized: cluster["insecure-skip-tls-verify"] === true ? false : undefined,
			};
			return { headers, tls: defined(tls), ...(cluster["proxy-url"] ? { proxy: cluster["proxy-url"] } : {}) };
		},
		distrust() {
			plugin?.distrust();
			for (const part of [ca, cert, key, tokenFile]) {
				part.distrust();
			}
		},
	};
}

interface Source {
	read(): Promise<string | undefined>;
	distrust(): void;
}

function fileSource(directory: string, path: string | undefined): Source {
	return path ? rotatingFile(resolve(directory, path)) : { read: async () => undefined, distrust() {} };
}

function defined(
	tls: { readonly [Field in keyof TlsMaterial]: TlsMaterial[Field] | undefined },
): TlsMaterial {
	return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}

/**
 * What the provider oidc left in the kubeconfig: an ID token, which kubectl renews when it is used; other providers
 * were removed from client-go with Kubernetes 1.26.
 */
function providerToken(provider: AuthProvider | undefined): string | undefined {
	if (provider === undefined) {
		return undefined;
	}
	const token = provider.name === "oidc" ? provider.config?.["id-token"] : undefined;
	if (!token) {
		throw new HttpError(
			"credentials",
			`Cannot get credentials: auth-provider ${JSON.stringify(provider.name ?? "")} ${provider.name === "oidc" ? "has no id-token; run kubectl once, which renews it" : "is not supported any more; use an exec plugin"}`,
		);
	}
	return token;
}
