import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";

/** A certificate (with its intermediates, leaf first) and its private key, both as PEM. */
export interface CertificatePair {
	readonly cert: string;
	readonly key: string;
}

/** What a serving certificate is held against; what is left out is not checked. */
export interface Expectation {
	readonly now: Date;
	/** PEM bundle of trust anchors, as in a webhook configuration's `caBundle`. */
	readonly bundle?: string;
	/** The DNS name or IP address that the client asks for. */
	readonly name?: string;
	/** How long before its start a certificate counts as valid, in milliseconds: clocks differ. 0 unless given. */
	readonly earlyMs?: number;
}

const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const serverAuth = "1.3.6.1.5.5.7.3.1";
const anyPurpose = "2.5.29.37.0";
const longestPath = 5;

/** The certificates in a PEM text, in order; what is no certificate is left out. */
export function certificatesIn(pem: string): readonly X509Certificate[] {
	const certificates: X509Certificate[] = [];
	for (const [text] of pem.matchAll(block)) {
		try {
			certificates.push(new X509Certificate(text));
		} catch {
			// A block that does not parse can neither sign nor serve; the checks below report what is then missing.
		}
	}
	return certificates;
}

/** Says why a pair cannot be served at all (unreadable, or the key belongs to another certificate), or `null`. */
export function pairFault(pair: CertificatePair): string | null {
	const leaf = certificatesIn(pair.cert)[0];
	if (leaf === undefined) {
		return "the certificate is not readable PEM";
	}
	try {
		const key = createPrivateKey(pair.key);
		return leaf.checkPrivateKey(key) ? null : "the private key belongs to another certificate";
	} catch {
		return "the private key is not readable PEM";
	}
}

/**
 * Says why a Go client, such as the API server, would refuse the certificate, or `null` when it would accept it:
 * validity, host name (alternative names only), purpose, and a path to an anchor of the bundle (crypto/x509 Verify).
 */
export function verificationFault(cert: string, expected: Expectation): string | null {
	const [leaf, ...intermediates] = certificatesIn(cert);
	if (leaf === undefined) {
		return "the certificate is not readable PEM";
	}
	const validity = validityFault(leaf, expected.now, expected.earlyMs);
	if (validity !== null) {
		return `the certificate ${validity}`;
	}
	if (expected.name !== undefined && !isFor(leaf, expected.name)) {
		return `the certificate is not for ${expected.name}`;
	}
	// Node's `keyUsage` is the *extended* key usage; without that extension every purpose is allowed.
	const purposes: readonly string[] | undefined = leaf.keyUsage;
	if (purposes !== undefined && !purposes.includes(serverAuth) && !purposes.includes(anyPurpose)) {
		return "the certificate is not for servers";
	}
	if (expected.bundle === undefined) {
		return null;
	}
	const anchors = certificatesIn(expected.bundle);
	if (anchors.length === 0) {
		return "the CA bundle holds no certificate";
	}
	const isValid = (candidate: X509Certificate): boolean =>
		validityFault(candidate, expected.now, expected.earlyMs) === null;
	if (leadsToAnchor(leaf, intermediates, anchors, isValid, longestPath)) {
		return null;
	}
	const signer = anchors.find((anchor) => isSigner(anchor, leaf));
	return signer === undefined
		? "no certificate of the CA bundle signed it"
		: `the CA that signed it ${validityFault(signer, expected.now, expected.earlyMs) ?? "is no CA"}`;
}

/** Whether a CA signed the first of these certificates, whatever the time. */
export function isIssuedBy(cert: string, authority: string): boolean {
	const [leaf] = certificatesIn(cert);
	const [issuer] = certificatesIn(authority);
	return leaf !== undefined && issuer !== undefined && isSigner(issuer, leaf);
}

/** Says why a pair cannot be used as a CA that signs leaves now, or `null`. */
export function authorityFault(pair: CertificatePair, now: Date): string | null {
	const fault = pairFault(pair);
	if (fault !== null) {
		return fault;
	}
	const [authority, another] = certificatesIn(pair.cert);
	if (authority === undefined || another !== undefined) {
		return "it is not exactly one certificate";
	}
	if (!authority.ca) {
		return "it is not a CA";
	}
	const key = authority.publicKey;
	if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
		return "its key is not ECDSA P-256";
	}
	// Not yet valid is a matter of clocks, not of the CA: replacing it would let two skewed replicas fight.
	return authority.validToDate.getTime() <= now.getTime() ? "it is expired" : null;
}

/** When a certificate is to be renewed: at two thirds of its life (cert-manager's rule). */
export function renewalTime(cert: string): Date {
	const leaf = certificatesIn(cert)[0];
	if (leaf === undefined) {
		return new Date(0);
	}
	const from = leaf.validFromDate.getTime();
	return new Date(from + ((leaf.validToDate.getTime() - from) * 2) / 3);
}

/** When the first certificate of a PEM text ends, or `null` when there is none. */
export function expiryTime(cert: string): Date | null {
	return certificatesIn(cert)[0]?.validToDate ?? null;
}

/** The SHA-256 fingerprints of a PEM text's certificates, in order: what makes two bundles the same. */
export function fingerprints(pem: string): readonly string[] {
	return certificatesIn(pem).map((certificate) => certificate.fingerprint256);
}

/** One bundle of several PEM texts: every certificate once, in order, in canonical form. */
export function joinBundle(parts: readonly string[]): string {
	const bundle = new Map<string, string>();
	for (const certificate of certificatesIn(parts.join("\n"))) {
		bundle.set(certificate.fingerprint256, certificate.toString());
	}
	return [...bundle.values()].join("");
}

function validityFault(certificate: X509Certificate, now: Date, earlyMs = 0): string | null {
	if (certificate.validToDate.getTime() < now.getTime()) {
		return `expired at ${certificate.validToDate.toISOString()}`;
	}
	if (certificate.validFromDate.getTime() - earlyMs > now.getTime()) {
		return `is not valid before ${certificate.validFromDate.toISOString()}`;
	}
	return null;
}

function isFor(leaf: X509Certificate, name: string): boolean {
	// Go never looks at the common name.
	return isIP(name) === 0
		? leaf.checkHost(name, { subject: "never" }) !== undefined
		: leaf.checkIP(name) !== undefined;
}

function leadsToAnchor(
	certificate: X509Certificate,
	intermediates: readonly X509Certificate[],
	anchors: readonly X509Certificate[],
	isValid: (candidate: X509Certificate) => boolean,
	depth: number,
): boolean {
	if (anchors.some((anchor) => anchor.fingerprint256 === certificate.fingerprint256)) {
		return true;
	}
	if (depth === 0) {
		return false;
	}
	const signers = (candidate: X509Certificate): boolean =>
		isValid(candidate) && isSigner(candidate, certificate);
	return (
		anchors.some(signers) ||
		intermediates.some(
			(candidate) =>
				candidate.fingerprint256 !== certificate.fingerprint256 &&
				signers(candidate) &&
				leadsToAnchor(candidate, intermediates, anchors, isValid, depth - 1),
		)
	);
}

function isSigner(candidate: X509Certificate, certificate: X509Certificate): boolean {
	return candidate.ca && certificate.checkIssued(candidate) && certificate.verify(candidate.publicKey);
}
