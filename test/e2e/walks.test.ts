import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Reader } from "../support/page-commands.ts";
import { walkPage } from "../support/page-commands.ts";
import { findControlPlane } from "./binaries.ts";
import { useControlPlane } from "./shared.ts";
import { createNamespace, createWaypoint, deleteNamespaces, serviceEntry } from "./world.ts";

const root = join(import.meta.dirname, "../..");
const pages = join(root, "docs/walks");
const home = mkdtempSync(join(tmpdir(), "waymark-walks-"));
const plane = await useControlPlane();
const { kubectl, helm } = await findControlPlane();
const shop = "walk-shop";
const egress = "walk-egress";

/** What a person's shell finds: the programs that the pages name, and nothing of this checkout. */
const environment: Readonly<Record<string, string>> = {
	PATH: [
		join(home, "global/bin"),
		dirname(process.execPath),
		dirname(kubectl),
		dirname(helm),
		"/usr/local/bin",
		"/usr/bin",
		"/bin",
	].join(delimiter),
	HOME: home,
	KUBECONFIG: plane.kubeconfig,
	npm_config_prefix: join(home, "global"),
	npm_config_cache: execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim(),
	npm_config_prefer_offline: "true",
	npm_config_update_notifier: "false",
};

function emptyFolder(name: string): Reader {
	const folder = join(home, name);
	mkdirSync(folder);
	return { folder, environment };
}

describe("docs/walks, run as printed from the packed tarball in an empty directory", {
	timeout: 240_000,
}, () => {
	before(async () => {
		execFileSync("npm", ["pack", "--pack-destination", home], { cwd: root, stdio: "pipe" });
		mkdirSync(join(home, "chart"));
		execFileSync(helm, ["package", join(root, "charts/waymark"), "--destination", join(home, "chart")], {
			stdio: "pipe",
		});
		const ambient = { labels: { "istio.io/dataplane-mode": "ambient" } };
		await createNamespace(plane, egress, ambient);
		await createWaypoint(plane, egress, "waypoint", { from: { from: "All" } });
		await createNamespace(plane, shop, {
			...ambient,
			annotations: {
				"egress.waymark.dev/waypoint": `${egress}/waypoint`,
				"egress.waymark.dev/mode": "audit",
			},
		});
		await plane.api.apply(
			serviceEntry(shop, "old", "old.walk.example.com", {
				labels: { "istio.io/use-waypoint": "none" },
				spec: { ports: [{ number: 443, name: "tls", protocol: "TLS" }] },
			}),
		);
	});
	after(async () => {
		await deleteNamespaces(plane, shop, egress);
		rmSync(home, { recursive: true });
	});

	// First: it is the one that installs.
	it("newcomer", () => {
		const reader = emptyFolder("newcomer");
		cpSync(join(home, "waymark-0.1.0.tgz"), join(reader.folder, "waymark-0.1.0.tgz"));
		walkPage(join(pages, "newcomer.md"), reader);
	});

	for (const name of ["developer", "security-engineer", "ci-reviewer", "migration-engineer", "sre"]) {
		it(name, () => walkPage(join(pages, `${name}.md`), emptyFolder(name)));
	}

	it("platform-engineer", () => {
		const reader = emptyFolder("platform-engineer");
		cpSync(join(home, "chart"), join(reader.folder, "chart"), { recursive: true });
		walkPage(join(pages, "platform-engineer.md"), reader);
	});

	it("contributor, in a checkout", () => {
		const reader = emptyFolder("contributor");
		execFileSync(
			"git",
			["-c", "advice.detachedHead=false", "clone", "--quiet", "--depth", "1", `file://${root}`, "."],
			{ cwd: reader.folder },
		);
		symlinkSync(join(root, "node_modules"), join(reader.folder, "node_modules"));
		walkPage(join(pages, "contributor.md"), reader);
	});

	it("every page is walked", () => {
		const walked = readdirSync(home, { withFileTypes: true }).map(({ name }) => `${name}.md`);
		const written = readdirSync(pages).filter((name) => name !== "README.md");
		assert.deepEqual(
			written.filter((name) => !walked.includes(name)),
			[],
		);
		assert.equal(written.length, 8);
	});
});
