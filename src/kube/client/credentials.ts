import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { HttpError } from "./api.ts";
import { execPlugin } from "./exec-plugin.ts";
import type { AuthProvider, ChosenContext, KubeconfigUser } from "./kubeconfig.ts";
import { readContext } from "./kubeconfig.ts";
import { environmentProxy } from "./proxy.ts";

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

/** Who is asked to be, instead of the user of a context (`--as`, `--as-group`). */
export interface Impersonation {
	readonly user: string;
	readonly groups: readonly string[];
}

/** The same credentials, asking to be somebody else. */
export function withImpersonation(
	credentials: Credentials,
	impersonation: Impersonation | undefined,
): Credentials {
	return {
		...credentials,
		async current() {
			const identity = await credentials.current();
			return { ...identity, headers: { ...identity.headers, ...impersonating({}, impersonation) } };
		},
	};
}

/** What the credentials of a context may be told beside the kubeconfig. */
export interface ContextOptions {
	/** For exec plugins and for proxies. */
	readonly environment?: Readonly<Record<string, string | undefined>>;
	readonly impersonation?: Impersonation | undefined;
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
	const chosen = await readContext({ files: [file], mustExist: true, context });
	if (chosen === undefined) {
		throw new Error(`Cannot read kubeconfig ${JSON.stringify(file)}: it has no name`);
	}
	return contextCredentials(chosen, { environment });
}

/** The credentials of a context, whose relative paths start at the kubeconfig that each stands in. */
export function contextCredentials(
	{
		server,
		cluster: { value: cluster, folder: clusterFolder },
		user: { value: user, folder },
	}: ChosenContext,
	{ environment = {}, impersonation }: ContextOptions = {},
): Credentials {
	const ca = source(clusterFolder, cluster["certificate-authority-data"], cluster["certificate-authority"]);
	const cert = source(folder, user["client-certificate-data"], user["client-certificate"]);
	const key = source(folder, user["client-key-data"], user["client-key"]);
	const tokenFile = fileSource(folder, user.tokenFile);
	const plugin =
		user.exec === undefined
			? undefined
			: execPlugin(user.exec, { ...cluster, server: server.href }, { folder, environment });
	const proxy = cluster["proxy-url"] || environmentProxy(server, environment);
	return {
		server,
		async current() {
			const given = await plugin?.current();
			const own = user.tokenFile ? (await tokenFile.read())?.trim() : user.token;
			const token = given?.token ?? own ?? providerToken(user["auth-provider"]);
			const tls = {
				ca: await ca.read(),
				cert: given?.clientCertificateData ?? (await cert.read()),
				key: given?.clientKeyData ?? (await key.read()),
				servername: cluster["tls-server-name"] || undefined,
				rejectUnauthorized: cluster["insecure-skip-tls-verify"] === true ? false : undefined,
			};
			return {
				headers: { ...authorization(token, user), ...impersonating(user, impersonation) },
				tls: defined(tls),
				...(proxy === undefined ? {} : { proxy }),
			};
		},
		distrust() {
			plugin?.distrust();
			for (const part of [ca, cert, key, tokenFile]) {
				part.distrust();
			}
		},
	};
}

function authorization(token: string | undefined, user: KubeconfigUser): Identity["headers"] {
	if (token) {
		return { authorization: `Bearer ${token}` };
	}
	return user.username
		? {
				authorization: `Basic ${Buffer.from(`${user.username}:${user.password ?? ""}`).toString("base64")}`,
			}
		: {};
}

function impersonating(user: KubeconfigUser, asked: Impersonation | undefined): Identity["headers"] {
	const name = asked?.user ?? user.as;
	return name
		? { "impersonate-user": name, "impersonate-group": [...(asked?.groups ?? user["as-groups"] ?? [])] }
		: {};
}

interface Source {
	read(): Promise<string | undefined>;
	distrust(): void;
}

/** kubectl: data beats file, and relative paths start at the kubeconfig. */
function source(folder: string, data: string | undefined, path: string | undefined): Source {
	return data
		? { read: async () => Buffer.from(data, "base64").toString("utf8"), distrust() {} }
		: fileSource(folder, path);
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
