import { chmod, mkdir, readdir, rmdir, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CertificateSource } from "./source.ts";
import { holdCertificate } from "./source.ts";

/** What a throw-away certificate is made for. */
export interface ThrowAway {
	/** DNS names and IP addresses it is valid for. */
	readonly names: readonly string[];
	/** Where `ca.crt` is written for clients to trust; nothing is written without it. No key is ever written. */
	readonly directory?: string;
	/** Servers run side by side: `ca.crt` lies in a folder below, named after the process, and goes with it. */
	readonly perProcess?: boolean;
	/** `ca.crt` is written by `publish`: a server that finds its port taken leaves another's alone. */
	readonly isDeferred?: boolean;
}

/** A certificate whose CA lies in `caFile`, as soon as it is published. */
export interface ThrowAwayCertificate extends CertificateSource {
	readonly caFile: string | null;
	/** Writes `caFile`, where that was deferred. */
	publish(): Promise<void>;
}

/** How old, in milliseconds, what a killed process left must be: by another's process table, a live one looks dead. */
const leftoverMs = 24 * 3_600_000;

/** A certificate of a CA that is made for this process and whose key is forgotten at once; `caFile` is its CA. */
export async function throwAwayCertificate(options: ThrowAway): Promise<ThrowAwayCertificate> {
	// Loaded here: who is given certificates never writes one, and this takes 90 ms and 8 MB.
	const { createAuthority, issueCertificate } = await import("./authority.ts");
	const now = new Date();
	const authority = await createAuthority({ now });
	const leaf = await issueCertificate(authority, {
		now,
		names: options.names,
		lifetimeMs: 365 * 24 * 3_600_000,
	});
	const held = holdCertificate({ ...leaf, ca: authority.cert });
	const { directory, perProcess = false, isDeferred = false } = options;
	const publish = async (): Promise<void> => {};
	if (directory === undefined) {
		return { ...held, caFile: null, publish };
	}
	if (!perProcess && isDeferred) {
		return {
			...held,
			caFile: join(directory, "ca.crt"),
			publish: async () => void (await writeCa(directory, authority.cert)),
		};
	}
	if (!perProcess) {
		return { ...held, caFile: await writeCa(directory, authority.cert), publish };
	}
	const own = join(directory, String(process.pid));
	const caFile = await writeCa(own, authority.cert);
	await removeLeftovers(directory);
	return {
		...held,
		caFile,
		publish,
		async stop() {
			await held.stop();
			await removeFolder(own);
		},
	};
}

async function writeCa(directory: string, ca: string): Promise<string> {
	const file = join(directory, "ca.crt");
	await mkdir(directory, { recursive: true });
	await writeFile(file, ca);
	await chmod(file, 0o644);
	return file;
}

/** Removes the folders of processes that were killed; whatever else lies there stays. */
async function removeLeftovers(directory: string): Promise<void> {
	for (const name of await readdir(directory)) {
		const folder = join(directory, name);
		if (/^[1-9]\d{0,8}$/.test(name) && !isRunning(Number(name)) && (await ageMs(folder)) > leftoverMs) {
			await removeFolder(folder);
		}
	}
}

/** Never recursive: a folder in which someone else put something stays. */
async function removeFolder(folder: string): Promise<void> {
	await unlink(join(folder, "ca.crt"))
		.then(() => rmdir(folder))
		.catch(() => {});
}

function isRunning(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== "ESRCH";
	}
}

async function ageMs(folder: string): Promise<number> {
	const { mtimeMs } = await stat(join(folder, "ca.crt")).catch(() => ({ mtimeMs: Date.now() }));
	return Date.now() - mtimeMs;
}
