import { writeFile } from "node:fs/promises";
import { stringify } from "yaml";
import type { Identity, KeyPair } from "./certificates.ts";

/** The user and groups that the API server knows a service account by. */
export function serviceAccount(namespace: string, name: string): Required<Pick<Identity, "name" | "groups">> {
	return {
		name: `system:serviceaccount:${namespace}:${name}`,
		groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
	};
}

/** The user of a kubeconfig that shows a client certificate. */
export function clientCertificate({ certificate, key }: KeyPair): object {
	return { "client-certificate-data": base64(certificate), "client-key-data": base64(key) };
}

/** Writes a kubeconfig for one cluster and one user: `{ token }` or a client certificate. */
export async function writeKubeconfig(path: string, server: string, ca: string, user: object): Promise<void> {
	const cluster = { server, "certificate-authority-data": base64(ca) };
	const config = {
		apiVersion: "v1",
		kind: "Config",
		clusters: [{ name: "waymark-e2e", cluster }],
		users: [{ name: "user", user }],
		contexts: [{ name: "waymark-e2e", context: { cluster: "waymark-e2e", user: "user" } }],
		"current-context": "waymark-e2e",
	};
	await writeFile(path, stringify(config), { mode: 0o600 });
}

function base64(text: string): string {
	return Buffer.from(text).toString("base64");
}
