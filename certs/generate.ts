import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createAuthority, issueCertificate, serviceNames } from "../src/certificates/authority.ts";

const usage = `Usage: node certs/generate.ts [--directory DIR] [--service NAME] [--namespace NAME] [--name NAME]…

Makes certificates for development below DIR (certs/dev): a CA (ca.crt), a serving pair of it (tls.crt, tls.key), and
a client CA (client-ca.crt) with the pair of an API server (client.crt, client.key). The keys of both CAs are forgotten.

  --service, --namespace   the Service that the serving certificate is for (waymark, waymark-system)
  --name                   a further DNS name or IP address, beside localhost, 127.0.0.1 and ::1`;

const { values } = parseArgs({
	options: {
		directory: { type: "string", default: join(import.meta.dirname, "dev") },
		service: { type: "string", default: "waymark" },
		namespace: { type: "string", default: "waymark-system" },
		name: { type: "string", multiple: true, default: [] },
		help: { type: "boolean", default: false },
	},
});

async function generate(): Promise<void> {
	const now = new Date();
	const names = [
		...serviceNames(values.service, values.namespace),
		"localhost",
		"127.0.0.1",
		"::1",
		...values.name,
	];
	const [authority, clientAuthority] = await Promise.all([
		createAuthority({ now }),
		createAuthority({ now }),
	]);
	const [serving, client] = await Promise.all([
		issueCertificate(authority, { names, now }),
		issueCertificate(clientAuthority, { names: ["kube-apiserver"], now, purpose: "client" }),
	]);
	await mkdir(values.directory, { recursive: true, mode: 0o700 });
	for (const [file, text] of Object.entries({
		"ca.crt": authority.cert,
		"tls.crt": serving.cert,
		"tls.key": serving.key,
		"client-ca.crt": clientAuthority.cert,
		"client.crt": client.cert,
		"client.key": client.key,
	})) {
		const path = join(values.directory, file);
		const mode = file.endsWith(".key") ? 0o600 : 0o644;
		await writeFile(path, text, { mode });
		// The mode above counts for new files only.
		await chmod(path, mode);
		process.stdout.write(`${path}\n`);
	}
}

if (values.help) {
	process.stdout.write(`${usage}\n`);
} else {
	await generate();
}
