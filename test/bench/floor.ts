import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fastify } from "fastify";

// The least that a webhook can do on the server that Waymark runs on: read the review, and answer the same to each.
// Arguments: the folder of tls.crt and tls.key, and the port on loopback.
const [folder = "", port = "0"] = process.argv.slice(2);
const app = fastify({
	https: { cert: readFileSync(join(folder, "tls.crt")), key: readFileSync(join(folder, "tls.key")) },
	keepAliveTimeout: 120_000,
	bodyLimit: 7 * 1024 * 1024,
	logger: false,
});

interface Review {
	readonly request: { readonly uid: string };
}

/** The two labels by which Waymark binds an entry, always. */
const patch = Buffer.from(
	JSON.stringify([
		{
			op: "add",
			path: "/metadata/labels",
			value: { "istio.io/use-waypoint": "egress", "istio.io/use-waypoint-namespace": "istio-egress" },
		},
	]),
).toString("base64");

const answers = {
	"/mutate": { allowed: true },
	"/validate": { allowed: true },
	"/mutate-always": { allowed: true, patchType: "JSONPatch", patch },
};

for (const [path, answer] of Object.entries(answers)) {
	app.post<{ Body: Review }>(path, ({ body }) => ({
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		response: { uid: body.request.uid, ...answer },
	}));
}
app.get("/readyz", () => "ok");
await app.listen({ host: "127.0.0.1", port: Number(port) });
