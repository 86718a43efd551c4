import { spawn } from "node:child_process";
import { isAbsolute, resolve } from "node:path";
import { HttpError } from "./api.ts";

/**
 * How a kubeconfig asks a program for credentials
 * (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins).
 */
export interface ExecConfig {
	readonly apiVersion?: string;
	readonly command?: string;
	readonly args?: readonly string[] | null;
	readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
	readonly installHint?: string;
	readonly provideClusterInfo?: boolean;
}

/** What a plugin is told of the cluster, where the kubeconfig says so. */
export interface ExecCluster {
	readonly server: string;
	readonly "tls-server-name"?: string;
	readonly "insecure-skip-tls-verify"?: boolean;
	readonly "certificate-authority-data"?: string;
	readonly "proxy-url"?: string;
}

/** What a plugin gave: a token, or a client certificate with its key, both PEM. */
export interface ExecCredential {
	readonly token?: string;
	readonly clientCertificateData?: string;
	readonly clientKeyData?: string;
	/** RFC 3339; absent: good until it is refused. */
	readonly expirationTimestamp?: string;
}

/** Gives what a plugin gave until that expires or is distrusted. */
export interface ExecPlugin {
	current(): Promise<ExecCredential>;
	distrust(): void;
}

// Enough for a login that asks a server; a program that waits for a person must not hold a verb for ever.
const defaultLimitMs = 60_000;
const mostOutput = 1024 * 1024;
const versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/** Runs the plugin of a kubeconfig that lies in `folder`, when there is no credential or the last one has expired. */
export function execPlugin(
	config: ExecConfig,
	cluster: ExecCluster,
	options: {
		readonly folder: string;
		readonly environment: Readonly<Record<string, string | undefined>>;
		readonly limitMs?: number;
	},
): ExecPlugin {
	let known: Promise<ExecCredential> | undefined;
	let expiresAt = Number.POSITIVE_INFINITY;
	const limitMs = options.limitMs ?? defaultLimitMs;
	return {
		async current() {
			if (known === undefined || Date.now() >= expiresAt) {
				const asked = run(config, cluster, { ...options, limitMs });
				known = asked;
				asked.then(
					({ expirationTimestamp }) => {
						const end = Date.parse(expirationTimestamp ?? "");
						expiresAt = Number.isNaN(end) ? Number.POSITIVE_INFINITY : end;
					},
					() => {
						known = undefined;
					},
				);
			}
			return await known;
		},
		distrust() {
			known = undefined;
		},
	};
}

function failure(command: string, reason: string, config: ExecConfig, cause?: unknown): HttpError {
	const hint = config.installHint?.trim();
	return new HttpError(
		"credentials",
		`Cannot get credentials from ${command}: ${reason}${hint ? `\n${hint}` : ""}`,
		cause,
	);
}

async function run(
	config: ExecConfig,
	cluster: ExecCluster,
	{ folder, environment, limitMs }: Parameters<typeof execPlugin>[2] & { readonly limitMs: number },
): Promise<ExecCredential> {
	const { command = "", apiVersion = "" } = config;
	if (command === "" || !versions.includes(apiVersion)) {
		const reason =
			command === "" ? "the kubeconfig names no command" : `its apiVersion must be ${versions.join(" or ")}`;
		throw failure(command || "an exec plugin", reason, config);
	}
	// client-go: a relative path starts at the kubeconfig, a bare name is looked for on PATH.
	const program = /[/\\]/.test(command) && !isAbsolute(command) ? resolve(folder, command) : command;
	const info = {
		apiVersion,
		kind: "ExecCredential",
		spec: { interactive: false, ...(config.provideClusterInfo === true ? { cluster } : {}) },
	};
	const text = await output(program, config, {
		limitMs,
		env: {
			...environment,
			...Object.fromEntries((config.env ?? []).map(({ name, value }) => [name, value])),
			KUBERNETES_EXEC_INFO: JSON.stringify(info),
		},
	});
	return readCredential(text, command, apiVersion, config);
}

function output(
	program: string,
	config: ExecConfig,
	{ limitMs, env }: { readonly limitMs: number; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<string> {
	const name = config.command ?? "";
	return new Promise((accept, reject) => {
		const child = spawn(program, [...(config.args ?? [])], { env, stdio: ["ignore", "pipe", "pipe"] });
		let [text, errorText] = ["", ""];
		const timer = setTimeout(() => {
			child.kill("SIGKILL");
			reject(failure(name, `it did not end within ${limitMs / 1000} s`, config));
		}, limitMs);
		child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
			text += chunk;
			if (text.length > mostOutput) {
				child.kill("SIGKILL");
				reject(failure(name, "it wrote more than 1 MiB", config));
			}
		});
		child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
			errorText = (errorText + chunk).slice(-1000);
		});
		child.once("error", (error) => {
			clearTimeout(timer);
			reject(failure(name, error.message, config, error));
		});
		child.once("close", (code, signal) => {
			clearTimeout(timer);
			if (code === 0) {
				accept(text);
			} else {
				const said = errorText.trim() === "" ? "" : `: ${errorText.trim()}`;
				reject(failure(name, `it ended with ${signal ?? `exit code ${code}`}${said}`, config));
			}
		});
	});
}

function readCredential(
	text: string,
	command: string,
	apiVersion: string,
	config: ExecConfig,
): ExecCredential {
	let answer: {
		readonly kind?: unknown;
		readonly apiVersion?: unknown;
		readonly status?: ExecCredential;
	} | null;
	try {
		answer = JSON.parse(text);
	} catch (error) {
		throw failure(command, "it wrote no JSON", config, error);
	}
	const status = answer?.status;
	if (answer?.kind !== "ExecCredential" || answer.apiVersion !== apiVersion) {
		throw failure(command, `it wrote no ExecCredential of ${apiVersion}`, config);
	}
	const given = [status?.token, status?.clientCertificateData, status?.clientKeyData];
	const isWhole =
		(status?.clientCertificateData === undefined) === (status?.clientKeyData === undefined) &&
		given.some((each) => typeof each === "string" && each !== "");
	if (status === undefined || !isWhole) {
		throw failure(command, "it gave neither a token nor a certificate with its key", config);
	}
	return status;
}
