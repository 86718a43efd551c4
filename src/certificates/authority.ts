// @peculiar/x509 2.x resolves its extensions through tsyringe, which throws unless this is loaded before it.
import "reflect-metadata";
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
	AuthorityKeyIdentifierExtension,
	BasicConstraintsExtension,
	ExtendedKeyUsageExtension,
	KeyUsageFlags,
	KeyUsagesExtension,
	SubjectAlternativeNameExtension,
	SubjectKeyIdentifierExtension,
	X509Certificate,
	X509CertificateGenerator,
} from "@peculiar/x509";
import type { CertificatePair } from "./inspect.ts";
import { certificatesIn } from "./inspect.ts";

/** How long our own CA lives, in milliseconds: 365 days, as cert-manager's DynamicAuthority has it. */
export const authorityLifetimeMs: number = 365 * 24 * 3_600_000;
/** How long a serving certificate of our own CA lives, in milliseconds: 7 days. */
export const leafLifetimeMs: number = 7 * 24 * 3_600_000;
/** How far before now a new certificate starts, in milliseconds: a verifier's clock may be one hour behind. */
export const backdateMs = 3_600_000;

const algorithm = { name: "ECDSA", namedCurve: "P-256" };
const signing = { name: "ECDSA", hash: "SHA-256" };
const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";

/** What a new CA is made from. */
export interface AuthorityRequest {
	readonly now: Date;
	readonly lifetimeMs?: number;
}

/** What a new leaf is made from; `names` are DNS names and IP addresses, and the first one is the subject. */
export interface LeafRequest {
	readonly names: readonly string[];
	readonly now: Date;
	readonly lifetimeMs?: number;
	/** `client` makes what an API server presents to a webhook; everything else serves. */
	readonly purpose?: "server" | "client";
}

/** Makes a self-signed ECDSA P-256 CA that may sign leaves only (path length 0), as PEM. */
export async function createAuthority(request: AuthorityRequest): Promise<CertificatePair> {
	const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
	const serialNumber = randomSerial();
	const certificate = await X509CertificateGenerator.createSelfSigned({
		serialNumber,
		// A name of its own for each CA: verifiers that look an issuer up by name meet one candidate, not two.
		name: `O=Waymark, CN=Waymark CA ${serialNumber.slice(0, 12)}`,
		notBefore: new Date(request.now.getTime() - backdateMs),
		notAfter: new Date(request.now.getTime() + (request.lifetimeMs ?? authorityLifetimeMs)),
		keys,
		signingAlgorithm: signing,
		extensions: [
			new BasicConstraintsExtension(true, 0, true),
			new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
			await SubjectKeyIdentifierExtension.create(keys.publicKey),
			await AuthorityKeyIdentifierExtension.create(keys.publicKey),
		],
	});
	return { cert: pem(certificate), key: privateKeyPem(keys.privateKey) };
}

/** Signs a new leaf with a CA of {@link createAuthority}; it never outlives that CA. Throws when the CA cannot sign. */
export async function issueCertificate(
	authority: CertificatePair,
	request: LeafRequest,
): Promise<CertificatePair> {
	const subject = request.names[0];
	const issuer = certificatesIn(authority.cert)[0];
	if (subject === undefined || issuer === undefined) {
		throw new Error(
			`Cannot issue a certificate: ${subject === undefined ? "no name is given" : "the CA is empty"}`,
		);
	}
	const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
	const parent = new X509Certificate(authority.cert);
	const signingKey = createPrivateKey(authority.key).toCryptoKey(algorithm, false, ["sign"]);
	const end = request.now.getTime() + (request.lifetimeMs ?? leafLifetimeMs);
	const certificate = await X509CertificateGenerator.create({
		serialNumber: randomSerial(),
		// RFC 5280 limits a common name to 64 characters; verifiers read the alternative names only.
		subject: [{ CN: [subject.slice(0, 64)] }],
		issuer: parent.subjectName,
		notBefore: new Date(request.now.getTime() - backdateMs),
		notAfter: new Date(Math.min(end, issuer.validToDate.getTime())),
		publicKey: keys.publicKey,
		signingKey,
		signingAlgorithm: signing,
		extensions: [
			new BasicConstraintsExtension(false, undefined, true),
			new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
			new ExtendedKeyUsageExtension([request.purpose === "client" ? clientAuth : serverAuth]),
			new SubjectAlternativeNameExtension(
				request.names.map((name) => ({ type: isIP(name) === 0 ? "dns" : "ip", value: name }) as const),
			),
			await SubjectKeyIdentifierExtension.create(keys.publicKey),
			await AuthorityKeyIdentifierExtension.create(parent.publicKey),
		],
	});
	return { cert: pem(certificate), key: privateKeyPem(keys.privateKey) };
}

/** The names under which an API server calls a Service: `svc`, `svc.ns`, `svc.ns.svc` and `svc.ns.svc.DOMAIN`. */
export function serviceNames(
	service: string,
	namespace: string,
	clusterDomain = "cluster.local",
): readonly string[] {
	return [
		`${service}.${namespace}.svc`,
		`${service}.${namespace}.svc.${clusterDomain}`,
		`${service}.${namespace}`,
		service,
	];
}

/** 127 random bits; the first bit is 0 and the second 1, so that the number is positive and never short. */
function randomSerial(): string {
	const bytes = randomBytes(16);
	bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
	return bytes.toString("hex");
}

function pem(certificate: X509Certificate): string {
	return `${certificate.toString("pem")}\n`;
}

function privateKeyPem(key: webcrypto.CryptoKey): string {
	return KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();
}
