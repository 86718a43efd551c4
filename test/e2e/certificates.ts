// First: the X.509 library's dependency injection reads it at import.
import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import type { JsonName } from "@peculiar/x509";
import {
	BasicConstraintsExtension,
	ExtendedKeyUsage,
	ExtendedKeyUsageExtension,
	KeyUsageFlags,
	KeyUsagesExtension,
	SubjectAlternativeNameExtension,
	X509Certificate,
	X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its PKCS #8 key, both PEM. */
export interface KeyPair {
	readonly certificate: string;
	readonly key: string;
}

/** Whom a certificate names. */
export interface Identity {
	/** The common name: a user's name, for client certificates. */
	readonly name: string;
	/** The organizations: a user's groups, for client certificates. */
	readonly groups?: readonly string[];
	/** The DNS names and IP addresses, for server certificates. */
	readonly hosts?: readonly string[];
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const day = 86_400_000;

/** Makes a certificate authority that is valid for a day. */
export async function createAuthority(name: string): Promise<KeyPair> {
	const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
	const certificate = await X509CertificateGenerator.createSelfSigned({
		name: distinguishedName({ name }),
		keys,
		signingAlgorithm: algorithm,
		serialNumber: serialNumber(),
		...validity(),
		extensions: [
			new BasicConstraintsExtension(true, undefined, true),
			new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
		],
	});
	return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

/** Issues a certificate that is valid for a day, for a server and for a client. */
export async function issueCertificate(authority: KeyPair, identity: Identity): Promise<KeyPair> {
	const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
	const names = (identity.hosts ?? []).map((value) => ({
		type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const),
		value,
	}));
	const issuer = new X509Certificate(authority.certificate);
	const certificate = await X509CertificateGenerator.create({
		subject: distinguishedName(identity),
		issuer: issuer.subject,
		signingKey: await importKey(authority.key),
		publicKey: keys.publicKey,
		signingAlgorithm: algorithm,
		serialNumber: serialNumber(),
		...validity(),
		extensions: [
			new BasicConstraintsExtension(false, undefined, true),
			new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
			new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
			...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
		],
	});
	return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

function distinguishedName({ name, groups = [] }: Identity): JsonName {
	return [...groups.map((group) => ({ O: [group] })), { CN: [name] }];
}

function validity(): { notBefore: Date; notAfter: Date } {
	const now = Date.now();
	return { notBefore: new Date(now - 60_000), notAfter: new Date(now + day) };
}

function serialNumber(): string {
	// The leading byte keeps the integer positive and its encoding minimal (RFC 5280, 4.1.2.2).
	return `01${Buffer.from(crypto.getRandomValues(new Uint8Array(15))).toString("hex")}`;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
	const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
	return `-----BEGIN PRIVATE KEY-----\n${der.replaceAll(/.{1,64}/g, "$&\n")}-----END PRIVATE KEY-----\n`;
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
	const der = Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ""), "base64");
	return crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}
