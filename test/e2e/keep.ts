import { join } from "node:path";
import { startControlPlane } from "./control-plane.ts";
import { share } from "./shared.ts";

// `node test/e2e/keep.ts`: a control plane to try things on, and to run test files against without a start each.
const plane = await startControlPlane();
const connection = await share(plane);
const { files, folder } = plane.connection;
process.stdout.write(`export KUBECONFIG=${plane.kubeconfig}
export WAYMARK_CONTROL_PLANE=${connection}
# kubectl: ${files.kubectl}
# logs: ${join(folder, "{etcd,kube-apiserver,istiod}.log")}
# what ztunnels are sent: ${plane.istiod.httpUrl}/debug/ambientz
# Ctrl-C stops it
`);
setInterval(() => {}, 60_000);
