import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Where the programs and manifests of the real control plane lie: absolute paths. */
export interface ControlPlaneFiles {
	readonly etcd: string;
	readonly kubeApiserver: string;
	readonly kubectl: string;
	readonly helm: string;
	readonly istiod: string;
	/** The CRDs of networking.istio.io and its siblings: one YAML file of istio.io/api. */
	readonly istioCrds: string;
	/** The CRDs of the Gateway API's standard channel: a folder of YAML files. */
	readonly gatewayApiCrds: string;
	/** The Helm chart of istiod: a folder. */
	readonly istiodChart: string;
}

interface Program {
	/** The package in the tool block of the `go.mod` that pins it. */
	readonly package: string;
	/** What `go install` calls it: the last element of the package, or of the module where that is a version. */
	readonly built: string;
	/** What the cache calls it. */
	readonly name: string;
	/** Whether the Kubernetes test assets bring it too. */
	readonly asset: boolean;
}

const programs = {
	etcd: { package: "go.etcd.io/etcd/server/v3", built: "server", name: "etcd", asset: true },
	kubeApiserver: {
		package: "k8s.io/kubernetes/cmd/kube-apiserver",
		built: "kube-apiserver",
		name: "kube-apiserver",
		asset: true,
	},
	kubectl: { package: "k8s.io/kubernetes/cmd/kubectl", built: "kubectl", name: "kubectl", asset: true },
	helm: { package: "helm.sh/helm/v4/cmd/helm", built: "helm", name: "helm", asset: false },
	istiod: {
		package: "istio.io/istio/pilot/cmd/pilot-discovery",
		built: "pilot-discovery",
		name: "pilot-discovery",
		asset: false,
	},
} satisfies Record<string, Program>;

const manifests = {
	istioCrds: {
		module: "istio.io/api",
		path: "kubernetes/customresourcedefinitions.gen.yaml",
		name: "istio-crds.yaml",
	},
	gatewayApiCrds: {
		module: "sigs.k8s.io/gateway-api",
		path: "config/crd/standard",
		name: "gateway-api-crds",
	},
	istiodChart: {
		module: "istio.io/istio",
		path: "manifests/charts/istio-control/istio-discovery",
		name: "istiod-chart",
	},
};

/** The Go module that pins the control plane: `control-plane/`, or the second one of `npm run test:matrix`. */
export const controlPlaneModule: string = process.env.WAYMARK_CONTROL_PLANE_MODULE || "control-plane";

const moduleFolder = join(import.meta.dirname, controlPlaneModule);

/**
 * The Go modules of the control plane. An istiod that is not built with the libraries of the API server's version has a
 * module of its own, which pins its manifests as well.
 */
async function moduleFolders(): Promise<{ readonly kubernetes: string; readonly istio: string }> {
	const own = join(moduleFolder, "istiod");
	return { kubernetes: moduleFolder, istio: (await exists(join(own, "go.mod"))) ? own : moduleFolder };
}

/**
 * Finds the control plane's files, building what the cache lacks with Go (about 12 minutes on two cores, once).
 *
 * Throws when something is missing and there is no Go to build it.
 */
export async function findControlPlane(): Promise<ControlPlaneFiles> {
	const cache = await cacheFolder();
	const assets = process.env.KUBEBUILDER_ASSETS;
	const found: Record<string, string> = {};
	const missing: Program[] = [];
	for (const [key, program] of Object.entries(programs)) {
		const path =
			assets !== undefined && assets !== "" && program.asset
				? join(assets, program.name)
				: join(cache, program.name);
		if (path.startsWith(cache) && !(await exists(path))) {
			missing.push(program);
		}
		found[key] = path;
	}
	for (const [key, manifest] of Object.entries(manifests)) {
		found[key] = join(cache, manifest.name);
	}
	const copies = await Promise.all(Object.values(manifests).map(({ name }) => exists(join(cache, name))));
	if (missing.length > 0 || copies.includes(false)) {
		await fill(cache, missing);
	}
	return found as unknown as ControlPlaneFiles;
}

/** The version that the control plane's go.mod pins a module to, such as v1.36.3 for `k8s.io/kubernetes`. */
export async function pinnedVersion(module: string): Promise<string> {
	const folders = new Set(Object.values(await moduleFolders()));
	const texts = await Promise.all([...folders].map((folder) => readFile(join(folder, "go.mod"), "utf8")));
	const lines = texts.join("\n").split("\n");
	const version = lines.map((line) => line.trim().split(" ")).find(([name]) => name === module)?.[1];
	if (version === undefined) {
		throw new Error(`Cannot tell the version of ${module}: ${controlPlaneModule}/go.mod does not name it`);
	}
	return version;
}

/** The cache directory: one for each content of the module's `go.mod` and `go.sum`, outside node_modules. */
export async function cacheFolder(): Promise<string> {
	const chosen = process.env.WAYMARK_CONTROL_PLANE_CACHE;
	if (chosen !== undefined && chosen !== "") {
		return chosen;
	}
	const hash = createHash("sha256");
	for (const folder of new Set(Object.values(await moduleFolders()))) {
		for (const name of ["go.mod", "go.sum"]) {
			hash.update(await readFile(join(folder, name)));
		}
	}
	const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
	return join(base, "waymark", `control-plane-${hash.digest("hex").slice(0, 16)}`);
}

async function fill(cache: string, missing: readonly Program[]): Promise<void> {
	await requireGo(cache, missing);
	await mkdir(cache, { recursive: true });
	// In the cache's own parent, because a rename is atomic only inside one file system.
	const work = await mkdtemp(join(dirname(cache), ".building-"));
	try {
		const { kubernetes, istio } = await moduleFolders();
		for (const folder of new Set([kubernetes, istio])) {
			const wanted = missing.filter(
				({ name }) => (name === programs.istiod.name ? istio : kubernetes) === folder,
			);
			if (wanted.length > 0) {
				await build(folder, work, wanted);
			}
		}
		await copyManifests(work);
		for (const program of missing) {
			await rename(join(work, program.built), join(cache, program.name));
		}
		for (const { name } of Object.values(manifests)) {
			if (!(await exists(join(cache, name)))) {
				await rename(join(work, name), join(cache, name));
			}
		}
	} finally {
		await rm(work, { recursive: true, force: true });
	}
}

async function requireGo(cache: string, missing: readonly Program[]): Promise<void> {
	try {
		await execute("go", ["version"]);
	} catch (cause) {
		const what = missing.length > 0 ? missing.map(({ name }) => name).join(", ") : "the manifests";
		throw new Error(
			`Cannot start the control plane: ${cache} lacks ${what}, and there is no Go on PATH to build it; ` +
				"install Go 1.26 or later, or point WAYMARK_CONTROL_PLANE_CACHE at a filled cache",
			{ cause },
		);
	}
}

function goEnvironment(): NodeJS.ProcessEnv {
	return {
		...process.env,
		// A workspace or vendoring of the machine must not change what is built.
		GOFLAGS: "-mod=readonly -buildvcs=false",
		GOWORK: "off",
	};
}

/** Runs `go install` and tells on stderr every ten seconds how far it is. */
async function build(folder: string, work: string, missing: readonly Program[]): Promise<void> {
	const began = Date.now();
	const names = missing.map(({ name }) => name).join(", ");
	process.stderr.write(`control plane: building ${names} with Go; about 12 minutes on two cores, once\n`);
	// Without the version flag, clients and charts see v0.0.0-master.
	const kubernetes = await pinnedVersion("k8s.io/kubernetes");
	const linkerFlags = `-s -w -X k8s.io/component-base/version.gitVersion=${kubernetes}`;
	const child = spawn(
		"go",
		["install", "-v", "-trimpath", "-ldflags", linkerFlags, ...missing.map((program) => program.package)],
		{ cwd: folder, env: { ...goEnvironment(), GOBIN: work }, stdio: ["ignore", "ignore", "pipe"] },
	);
	const stopChild = (): boolean => child.kill("SIGTERM");
	process.once("exit", stopChild);
	let packages = 0;
	let output: readonly string[] = [];
	child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
		const lines = chunk.split("\n").filter((line) => line !== "");
		packages += lines.length;
		output = [...output, ...lines].slice(-20);
	});
	const progress = setInterval(() => {
		const seconds = Math.round((Date.now() - began) / 1000);
		process.stderr.write(
			`control plane: ${seconds} s, ${packages} packages, now ${output.at(-1) ?? "starting"}\n`,
		);
	}, 10_000);
	try {
		const code = await new Promise<number | null>((resolve, reject) => {
			child.once("error", reject).once("close", resolve);
		});
		if (code !== 0) {
			throw new Error(`Cannot build the control plane: go install ended with ${code}\n${output.join("\n")}`);
		}
	} finally {
		clearInterval(progress);
		process.removeListener("exit", stopChild);
	}
	process.stderr.write(`control plane: built in ${Math.round((Date.now() - began) / 1000)} s\n`);
}

/** Copies the manifests out of Go's module cache, so that a warm start needs neither Go nor that cache. */
async function copyManifests(work: string): Promise<void> {
	const modules = Object.values(manifests).map(({ module }) => module);
	const { stdout } = await execute("go", ["mod", "download", "-json", ...modules], {
		cwd: (await moduleFolders()).istio,
		env: goEnvironment(),
	});
	// One JSON object after the other, without a separator.
	const downloads = JSON.parse(`[${stdout.trim().replaceAll(/^}\s*{/gm, "},{")}]`) as readonly {
		readonly Path: string;
		readonly Dir: string;
	}[];
	for (const { module, path, name } of Object.values(manifests)) {
		const folder = downloads.find((download) => download.Path === module)?.Dir;
		if (folder === undefined) {
			throw new Error(`Cannot copy the manifests of ${module}: go mod download did not report its folder`);
		}
		await copyWritable(join(folder, path), join(work, name));
	}
}

/** Copies a file or folder. Go's module cache is read-only, and a read-only folder could not be renamed or removed. */
async function copyWritable(from: string, to: string): Promise<void> {
	const entries = await readdir(from, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOTDIR") {
			return undefined;
		}
		throw error;
	});
	if (entries === undefined) {
		await writeFile(to, await readFile(from));
		await chmod(to, 0o644);
		return;
	}
	await mkdir(to);
	for (const entry of entries) {
		await copyWritable(join(from, entry.name), join(to, entry.name));
	}
}

async function exists(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}
