import { spawn } from "node:child_process";
import type { User } from "./api.ts";

/** YAML text, or objects to be written as JSON. */
export type Manifests = string | object | readonly object[];

/** What a kubectl run came to. */
export interface KubectlResult {
	readonly code: number;
	readonly stdout: string;
	/** Errors, and the `Warning:` lines. */
	readonly stderr: string;
}

/** The options of a kubectl run. */
export interface KubectlOptions {
	readonly stdin?: Manifests;
	/** `--as` and `--as-group`. */
	readonly as?: User;
	/** Another kubeconfig than the administrator's. */
	readonly kubeconfig?: string;
}

/** The options of a kubectl apply. */
export interface ApplyOptions {
	readonly serverSide?: boolean;
	readonly dryRun?: boolean;
	readonly namespace?: string;
	readonly as?: User;
}

/** The flags of `kubectl apply` that these options stand for. */
export function applyFlags(options: ApplyOptions): readonly string[] {
	return [
		...(options.serverSide === true ? ["--server-side"] : []),
		...(options.dryRun === true ? ["--dry-run=server"] : []),
		...(options.namespace === undefined ? [] : [`--namespace=${options.namespace}`]),
	];
}

/** Where kubectl runs: its program, the administrator's kubeconfig, and a folder for its caches. */
export interface KubectlPlace {
	readonly program: string;
	readonly kubeconfig: string;
	readonly folder: string;
}

/** Runs kubectl to its end; throws only when it cannot be run. */
export async function runKubectl(
	{ program, folder, kubeconfig }: KubectlPlace,
	args: readonly string[],
	options: KubectlOptions,
): Promise<KubectlResult> {
	const user =
		options.as === undefined
			? []
			: [`--as=${options.as.name}`, ...(options.as.groups ?? []).map((group) => `--as-group=${group}`)];
	const child = spawn(program, [...args, ...user], {
		// The home holds kubectl's discovery cache: shared by the runs, and gone with the folder.
		env: { PATH: process.env.PATH, HOME: folder, KUBECONFIG: options.kubeconfig ?? kubeconfig },
		stdio: "pipe",
	});
	let stdout = "";
	let stderr = "";
	child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
		stdout += chunk;
	});
	child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
		stderr += chunk;
	});
	// kubectl may end before it has read everything; its exit code says so.
	child.stdin.on("error", () => {});
	child.stdin.end(options.stdin === undefined ? "" : writeManifests(options.stdin));
	const code = await new Promise<number>((resolve, reject) => {
		child.once("error", reject).once("close", (status) => resolve(status ?? -1));
	});
	return { code, stdout, stderr };
}

function writeManifests(manifests: Manifests): string {
	if (typeof manifests === "string") {
		return manifests;
	}
	return [manifests]
		.flat()
		.map((object) => JSON.stringify(object))
		.join("\n---\n");
}
