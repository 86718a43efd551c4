import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";
import type { Connection, ControlPlane } from "./control-plane.ts";
import { connect, startControlPlane } from "./control-plane.ts";

const variable = "WAYMARK_CONTROL_PLANE";

/**
 * The control plane of a test file, with all of ambient Istio: the shared one of `npm run test:e2e` or of `keep.ts`,
 * else one of its own, which is stopped after the file's tests.
 *
 * Call it at the top of the file. A shared one is used by one file after the other: leave it as it was found
 * (`deleteNamespaces`, and what `registerWebhooks` returns). A file that breaks parts starts its own.
 */
export async function useControlPlane(): Promise<ControlPlane> {
	const path = process.env[variable];
	if (path !== undefined && path !== "") {
		const plane = connect(JSON.parse(await readFile(path, "utf8")) as Connection);
		after(() => plane.close());
		return plane;
	}
	const own = await startControlPlane();
	after(() => own.stop());
	return own;
}

/** Whether the environment names a shared control plane already. */
export function isShared(): boolean {
	return (process.env[variable] ?? "") !== "";
}

/** Lets the processes that this one starts use the control plane; returns the file that describes it. */
export async function share(plane: ControlPlane): Promise<string> {
	const path = join(plane.connection.folder, "connection.json");
	await writeFile(path, JSON.stringify(plane.connection), { mode: 0o600 });
	process.env[variable] = path;
	return path;
}
