import type { OwnControlPlane } from "./control-plane.ts";
import { startControlPlane } from "./control-plane.ts";
import { isShared, share } from "./shared.ts";

let plane: OwnControlPlane | undefined;

/** Starts the control plane that all test files share; node's test runner calls it before the first of them. */
export async function globalSetup(): Promise<void> {
	if (!isShared()) {
		plane = await startControlPlane();
		await share(plane);
	}
}

/** Stops what `globalSetup` started. */
export async function globalTeardown(): Promise<void> {
	await plane?.stop();
}
