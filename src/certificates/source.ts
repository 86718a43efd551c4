import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthority, issueCertificate } from "./authority.ts";
import type { CertificatePair } from "./inspect.ts";

/** What a server presents: a pair, and the CA bundle that verifies it where that is known. */
export interface ServingCertificate extends CertificatePair {
	readonly ca?: string;
}

/** Where the serving certificate comes from; the adapters differ, the server does not. */
export interface CertificateSource {
	/** The newest usable certificate; a source never takes back one that it has given out for a broken one. */
	current(): ServingCertificate;
	/** Calls back after each change; the returned function ends that. */
	onChange(callback: () => void): () => void;
	/** Ends watching and renewing; `current()` keeps answering. */
	stop(): Promise<void>;
}

/** A source whose certificate its owner sets. */
export interface HeldCertificate extends CertificateSource {
	set(next: ServingCertificate): void;
}

/** Holds a certificate in memory and tells who listens when it changes. */
export function holdCertificate(first: ServingCertificate): HeldCertificate {
	let certificate = first;
	const listeners = new Set<() => void>();
	return {
		current: () => certificate,
		onChange(callback) {
			const listener = (): void => callback();
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		set(next) {
			const changed =
				next.cert !== certificate.cert || next.key !== certificate.key || next.ca !== certificate.ca;
			certificate = next;
			if (changed) {
				for (const listener of listeners) {
					listener();
				}
			}
		},
		async stop() {
			listeners.clear();
		},
	};
}

/** What a throw-away certificate is made for. */
export interface ThrowAway {
	/** DNS names and IP addresses it is valid for. */
	readonly names: readonly string[];
	/** Where `ca.crt` is written for clients to trust; nothing is written without it. No key is ever written. */
	readonly directory?: string;
}

/** A certificate of a CA that is made for this process and whose key is forgotten at once; `caFile` is its CA. */
export async function throwAwayCertificate(
	options: ThrowAway,
): Promise<CertificateSource & { readonly caFile: string | null }> {
	const now = new Date();
	const authority = await createAuthority({ now });
	const leaf = await issueCertificate(authority, {
		now,
		names: options.names,
		lifetimeMs: 365 * 24 * 3_600_000,
	});
	const caFile = options.directory === undefined ? null : await writeCa(options.directory, authority.cert);
	return { ...holdCertificate({ ...leaf, ca: authority.cert }), caFile };
}

async function writeCa(directory: string, ca: string): Promise<string> {
	const file = join(directory, "ca.crt");
	await mkdir(directory, { recursive: true });
	await writeFile(file, ca);
	await chmod(file, 0o644);
	return file;
}
