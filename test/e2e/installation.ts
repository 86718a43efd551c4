import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "./api.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { KubectlResult } from "./kubectl.ts";
import type { ProcessGroup, RunningProcess } from "./processes.ts";
import { logTail } from "./processes.ts";

const root = join(import.meta.dirname, "../..");
const chart = join(root, "charts/waymark");

/** Runs the real helm; never throws because of what it answers. */
export function helm(plane: ControlPlane, args: readonly string[]): Promise<KubectlResult> {
	return helmAt(plane.connection.files.helm, plane, args);
}

/** Runs another helm than the control plane's; never throws because of what it answers. */
export function helmAt(
	program: string,
	plane: ControlPlane,
	args: readonly string[],
): Promise<KubectlResult> {
	const { folder, kubeconfig } = plane.connection;
	return new Promise((resolve) => {
		execFile(
			program,
			args.map((arg) => (arg === "CHART" ? chart : arg)),
			{
				env: { PATH: process.env.PATH, HOME: folder, KUBECONFIG: kubeconfig },
				maxBuffer: 64 * 1024 * 1024,
			},
			(error, stdout, stderr) => {
				resolve({
					code: error === null ? 0 : typeof error.code === "number" ? error.code : 1,
					stdout,
					stderr,
				});
			},
		);
	});
}

/** Runs helm and throws with what it said when it fails. */
export async function mustHelm(plane: ControlPlane, ...args: readonly string[]): Promise<string> {
	const { code, stdout, stderr } = await helm(plane, args);
	if (code !== 0) {
		throw new Error(`helm ${args.join(" ")} ended with ${code}\n${stdout}${stderr}`);
	}
	return stdout;
}

/** The objects of the chart as `helm template` renders them for a release called waymark. */
export function render(plane: ControlPlane, ...args: readonly string[]): Promise<readonly KubeObject[]> {
	return renderAs(plane, "waymark", ...args);
}

/** The objects of the chart as `helm template` renders them for a release. */
export async function renderAs(
	plane: ControlPlane,
	release: string,
	...args: readonly string[]
): Promise<readonly KubeObject[]> {
	const text = await mustHelm(plane, "template", release, "CHART", ...args);
	return parseAllDocuments(text)
		.map((document) => document.toJS() as KubeObject | null)
		.filter((object) => object !== null);
}

/** One replica of the chart's Deployment, as a process outside the cluster. */
export interface ServeProcess {
	readonly port: number;
	readonly running: RunningProcess;
	/** The lines of `/readyz?verbose`, or undefined when nobody answers. */
	readiness(): Promise<{ readonly ready: boolean; readonly text: string } | undefined>;
}

/** Starts `waymark serve` with the arguments and the configuration of the rendered chart, as its ServiceAccount. */
export async function startServe(options: {
	readonly group: ProcessGroup;
	readonly name: string;
	readonly objects: readonly KubeObject[];
	readonly kubeconfig: string;
	readonly namespace: string;
	readonly port: number;
	readonly operations: number;
	readonly peers: readonly number[];
}): Promise<ServeProcess> {
	const { group, objects, port, operations } = options;
	const configMap = objects.find(({ kind }) => kind === "ConfigMap");
	const folder = join(group.folder, options.name);
	await mkdir(folder, { recursive: true });
	const config = join(folder, "config.yaml");
	await writeFile(config, (configMap?.data as { "config.yaml": string } | undefined)?.["config.yaml"] ?? "");
	const replaced = new Map([
		["--config", config],
		["--listen", `127.0.0.1:${port}`],
		["--operations", `127.0.0.1:${operations}`],
	]);
	const running = group.start({
		name: options.name,
		command: process.execPath,
		args: [
			join(root, "src/main.ts"),
			...(podTemplate(objects).spec.containers[0]?.args ?? []).map((arg) => {
				const [flag = ""] = arg.split("=");
				const value = replaced.get(flag);
				return value === undefined ? arg : `${flag}=${value}`;
			}),
			`--kubeconfig=${options.kubeconfig}`,
			`--replicas=${options.peers.map((peer) => `127.0.0.1:${peer}`).join(",")}`,
		],
		env: { PATH: process.env.PATH, POD_NAMESPACE: options.namespace, POD_NAME: options.name },
		cwd: folder,
	});
	return {
		port,
		running,
		async readiness() {
			try {
				const answer = await fetch(`http://127.0.0.1:${operations}/readyz?verbose`);
				return { ready: answer.status === 200, text: await answer.text() };
			} catch {
				return undefined;
			}
		},
	};
}

/** The pods that a rendered chart would run. */
export function podTemplate(objects: readonly KubeObject[]): {
	readonly metadata: object;
	readonly spec: {
		readonly containers: readonly {
			readonly args: readonly string[];
			readonly env: readonly { readonly name: string; readonly value?: string }[];
		}[];
	};
} {
	const deployment = objects.find(({ kind }) => kind === "Deployment");
	if (deployment === undefined) {
		throw new Error("Cannot find the pods of the chart: it renders no Deployment");
	}
	return (deployment.spec as { readonly template: ReturnType<typeof podTemplate> }).template;
}

/** The options by which the chart bounds the memory of Node in its pods. */
export function nodeOptions(objects: readonly KubeObject[]): string {
	const [container] = podTemplate(objects).spec.containers;
	return container?.env.find(({ name }) => name === "NODE_OPTIONS")?.value ?? "";
}

/** Waits until something is so; throws with the ends of the processes' logs when it is not in time. */
export async function eventually(
	what: string,
	isSo: () => Promise<boolean>,
	options: { readonly limitMs?: number; readonly processes?: readonly RunningProcess[] } = {},
): Promise<number> {
	const { limitMs = 60_000, processes = [] } = options;
	const start = performance.now();
	while (!(await isSo())) {
		if (performance.now() - start > limitMs) {
			const logs = processes.map((each) => `--- ${each.name}\n${logTail(each)}`).join("\n");
			throw new Error(`Not so after ${limitMs / 1000} s: ${what}\n${logs}`);
		}
		await sleep(50);
	}
	return performance.now() - start;
}
