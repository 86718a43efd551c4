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
