import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { exportAdmissionPolicies } from "../../src/cli/export-admission-policies.ts";
import { messageOf } from "./backstop-parity.ts";
import type { OwnControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import { createNamespace, serviceEntry, useWaypoint } from "./world.ts";

const team = "files-team";
const folder = await mkdtemp(join(tmpdir(), "waymark-files-"));
let plane: OwnControlPlane | undefined;
after(async () => {
	await plane?.stop();
	await rm(folder, { recursive: true });
});

async function printed(...flags: readonly string[]): Promise<string> {
	let text = "";
	const streams = {
		out(part: string) {
			text += part;
		},
		error: assert.fail,
		colour: false,
	};
	assert.equal(await exportAdmissionPolicies.run(["--static-manifests", ...flags], streams), 0);
	return text;
}

/** The API server's configuration, with a folder for each of the two admission plugins. */
async function writeConfiguration(): Promise<string> {
	const plugins = [];
	for (const [kind, flags] of [
		["ValidatingAdmissionPolicy", []],
		["MutatingAdmissionPolicy", ["--inject"]],
	] as const) {
		const place = join(folder, kind);
		await mkdir(place);
		await writeFile(join(place, "waymark.yaml"), await printed(...flags));
		plugins.push({
			name: kind,
			configuration: {
				apiVersion: "apiserver.config.k8s.io/v1",
				kind: `${kind}Configuration`,
				staticManifestsDir: place,
			},
		});
	}
	const path = join(folder, "admission.json");
	const body = { apiVersion: "apiserver.config.k8s.io/v1", kind: "AdmissionConfiguration", plugins };
	await writeFile(path, JSON.stringify(body));
	return path;
}

describe("waymark export admission-policies --static-manifests", () => {
	it("prints what an API server holds from its first request on, and nobody deletes through it", async () => {
		plane = await startControlPlane({
			istiod: false,
			apiServerFlags: [
				"--feature-gates=ManifestBasedAdmissionControlConfig=true",
				`--admission-control-config-file=${await writeConfiguration()}`,
			],
		});
		const { api } = plane;
		await createNamespace(plane, team, {
			labels: { "istio.io/dataplane-mode": "ambient" },
			annotations: {
				"egress.waymark.dev/waypoint": "istio-egress/egress",
				"egress.waymark.dev/allowed-hosts": "*.example.com",
			},
		});
		const path = `/apis/networking.istio.io/v1/namespaces/${team}/serviceentries`;
		const write = (host: string, labels: Readonly<Record<string, string>> = {}) =>
			api.request("POST", path, { body: serviceEntry(team, "payments", host, { labels }) });
		// An entry with the label is not asked of the policy that adds it.
		const refused = await write("api.example.org", useWaypoint("egress", "istio-egress"));
		assert.equal(refused.status, 403, messageOf(refused));
		assert.match(messageOf(refused), /'waymark\.static\.k8s\.io'.*serviceentry-policy-host/);
		// MutatingAdmissionPolicies answer 503 until they know the schema.
		let stored = await write("api.example.com");
		for (let tries = 0; stored.status === 503 && tries < 200; tries++) {
			await new Promise((resolve) => setTimeout(resolve, 100));
			stored = await write("api.example.com");
		}
		assert.equal(stored.status, 201, messageOf(stored));
		const { metadata } = stored.body as { readonly metadata: { readonly labels?: object } };
		assert.deepEqual(metadata.labels, {
			"istio.io/use-waypoint": "egress",
			"istio.io/use-waypoint-namespace": "istio-egress",
		});
		for (const kind of ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]) {
			const named = `/apis/admissionregistration.k8s.io/v1/${kind}/waymark.static.k8s.io`;
			assert.equal((await api.request("DELETE", named)).status, 404);
		}
		assert.equal((await write("db.example.org")).status, 403);
	});
});
