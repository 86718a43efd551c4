import { spawn } from "node:child_process";
import { join } from "node:path";

// `npm run test:matrix -- [FLAG]… [FILE]…`: end-to-end files on the second control plane, an older istiod under a newer
// Kubernetes (control-plane-matrix/go.mod). Without files: those whose answers rest on what istiod does, but for l7.test.ts:
// the older istiod reads a proxy's labels after it has looked for its services (pilot/pkg/xds/ads.go: computeProxyState), so
// a waypoint without a Pod, as ours, is sent none. Not in the gate.
const resting = [
	"control-plane",
	"validity",
	"capture",
	"promise",
	"bypass",
	"ways-round",
	"trace",
	"admission",
	"match-conditions",
	"backstop",
	"controls",
].map((name) => `test/e2e/${name}.test.ts`);

const given = process.argv.slice(2);
const files = given.some((arg) => !arg.startsWith("-")) ? [] : resting;
const child = spawn(process.execPath, [join(import.meta.dirname, "run.ts"), ...given, ...files], {
	stdio: "inherit",
	env: { ...process.env, WAYMARK_CONTROL_PLANE_MODULE: "control-plane-matrix" },
});
child.on("close", (code) => {
	process.exitCode = code ?? 1;
});
