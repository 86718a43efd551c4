import { execFile } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { ReportApi } from "../../src/audit/report.ts";
import { cacheFolder } from "./binaries.ts";

interface Source {
	readonly module: string;
	readonly sum: string;
	readonly files: readonly string[];
	/** The file of the cache, which changes its name with the version. */
	readonly cached: string;
}

const sources: Readonly<Record<ReportApi, Source>> = {
	// OpenReports' own definitions, out of the module of its API.
	openreports: {
		module: "github.com/openreports/reports-api@v0.2.1",
		sum: "h1:g9KS3yle9Y1elmww4TK9EkD1rl6inIaiIJPX6e+u680=",
		files: ["config/crd/openreports.io_reports.yaml", "config/crd/openreports.io_clusterreports.yaml"],
		cached: "openreports-crds-0.2.1.yaml",
	},
	// The Policy working group has no module with a version; Kyverno installs its definitions, and ships them in its own.
	policyreport: {
		module: "github.com/kyverno/kyverno@v1.19.1",
		sum: "h1:/MkgFii3/VlQfKR1JpC9tVwNNVNQTt2S4U6qCsafsTU=",
		files: [
			"config/crds/policyreport/wgpolicyk8s.io_policyreports.yaml",
			"config/crds/policyreport/wgpolicyk8s.io_clusterpolicyreports.yaml",
		],
		cached: "wgpolicyk8s-crds-kyverno-1.19.1.yaml",
	},
};

/** The CRDs of reports as YAML, from the cache of the control plane, else from the Go module that carries them. */
export async function reportCrds(api: ReportApi = "openreports"): Promise<string> {
	const { module, sum, files, cached } = sources[api];
	const path = join(await cacheFolder(), cached);
	const known = await readFile(path, "utf8").catch(() => undefined);
	if (known !== undefined) {
		return known;
	}
	const { stdout } = await promisify(execFile)("go", ["mod", "download", "-json", module], {
		// Outside of any module, whose own go.sum would have to know it.
		cwd: tmpdir(),
		env: { ...process.env, GOFLAGS: "-mod=mod", GOWORK: "off" },
	});
	const download = JSON.parse(stdout) as { readonly Dir: string; readonly Sum: string };
	if (download.Sum !== sum) {
		throw new Error(`Cannot use ${module}: its sum is ${download.Sum}, not ${sum}`);
	}
	const texts = await Promise.all(files.map((file) => readFile(join(download.Dir, file), "utf8")));
	await mkdir(dirname(path), { recursive: true });
	await writeFile(`${path}.${process.pid}`, texts.join("\n---\n"));
	await rename(`${path}.${process.pid}`, path);
	return texts.join("\n---\n");
}
