import { join, resolve } from "node:path";
import type { Logger } from "pino";
import { watchCertificateFiles } from "../certificates/files.ts";
import { verificationFault } from "../certificates/inspect.ts";
import type { CertificateSource } from "../certificates/source.ts";
import { throwAwayCertificate } from "../certificates/throw-away.ts";
import type { Connection } from "../kube/client/connection.ts";
import type { Check } from "../server/probes.ts";
import type { Installation } from "./installation.ts";
import type { ServeOptions } from "./options.ts";

/** The certificate source that the options name, and what the operations port says of it. */
export interface OpenCertificates {
	readonly source: CertificateSource;
	/** Where the CA lies. */
	readonly caFile: string;
	/** Writes the CA for clients to trust, once the server listens; absent where it lies there already. */
	publish?(): Promise<void>;
	checks(): readonly Check[];
}

/**
 * Opens the certificates to serve with: an own CA's, throw-away ones, or the files of a directory.
 * @param onWait told what an own CA is waiting for, again and again
 */
export async function openCertificates(
	options: Pick<ServeOptions, "certificates" | "listen">,
	installation: Installation,
	connection: Connection | undefined,
	log: Logger,
	onWait: (reason: string) => void,
): Promise<OpenCertificates> {
	if (options.certificates === "self" && connection !== undefined) {
		const { openOwnCertificates } = await import("./installation.ts");
		const own = await openOwnCertificates(installation, connection, log, onWait);
		return { ...own, caFile: `Secret ${installation.namespace}/${installation.secret}` };
	}
	if (options.certificates === "throw-away") {
		const wildcard = options.listen.host === "0.0.0.0" || options.listen.host === "::";
		const source = await throwAwayCertificate({
			names: ["localhost", "127.0.0.1", "::1", ...(wildcard ? [] : [options.listen.host])],
			directory: resolve(".waymark"),
			// Servers on any free port may run side by side, each with a CA of its own.
			perProcess: options.listen.port === 0,
			isDeferred: true,
		});
		return { source, caFile: source.caFile ?? "", publish: () => source.publish(), checks: () => [] };
	}
	const caFile = join(options.certificates, "ca.crt");
	const source = await watchCertificateFiles({
		certFile: join(options.certificates, "tls.crt"),
		keyFile: join(options.certificates, "tls.key"),
		onFault: (fault) => {
			if (fault === null) {
				log.info("certificate files usable again");
			} else {
				log.error({ problem: fault }, "certificate files not usable, the last good pair is kept");
			}
		},
	});
	return {
		source,
		caFile,
		checks: () => {
			const fault = source.fault() ?? verificationFault(source.current().cert, { now: new Date() });
			return [{ name: "certificate", ok: fault === null, detail: fault ?? "valid", advisory: true as const }];
		},
	};
}
