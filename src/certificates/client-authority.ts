import { readFile } from "node:fs/promises";
import { watchDirectories } from "./files.ts";
import { certificatesIn } from "./inspect.ts";

/** The CA bundle that verifies clients, as a file holds it now. */
export interface ClientAuthority {
	/** The newest usable bundle, PEM. */
	current(): string;
	onChange(callback: () => void): void;
	stop(): Promise<void>;
}

/** How the file is followed. */
export interface ClientAuthorityOptions {
	readonly pollMs?: number;
	/** Told what is wrong when the new content cannot be used, and `null` when that is over. */
	readonly onFault?: (fault: string | null) => void;
}

/** Follows a file of client CAs; throws when it holds none at the start, and keeps the last good ones afterwards. */
export async function watchClientAuthority(
	file: string,
	options: ClientAuthorityOptions = {},
): Promise<ClientAuthority> {
	let bundle = await readBundle(file);
	let fault: string | null = null;
	let reading = Promise.resolve();
	const listeners: (() => void)[] = [];
	const note = (next: string | null): void => {
		if (next !== fault) {
			fault = next;
			options.onFault?.(next);
		}
	};
	const read = async (): Promise<void> => {
		try {
			const next = await readBundle(file);
			note(null);
			if (next !== bundle) {
				bundle = next;
				for (const listener of listeners) {
					listener();
				}
			}
		} catch (error) {
			note(error instanceof Error ? error.message : String(error));
		}
	};
	const refresh = (): void => {
		reading = reading.then(read);
	};
	const stopWatching = watchDirectories([file], refresh);
	const poll = setInterval(refresh, options.pollMs ?? 10_000);
	poll.unref();
	return {
		current: () => bundle,
		onChange(callback) {
			listeners.push(callback);
		},
		async stop() {
			clearInterval(poll);
			stopWatching();
			listeners.length = 0;
			await reading;
		},
	};
}

async function readBundle(file: string): Promise<string> {
	const bundle = await readFile(file, "utf8").catch((error: Error) => {
		throw new Error(`Cannot read the client CA ${file}: ${error.message}`, { cause: error });
	});
	if (certificatesIn(bundle).length === 0) {
		throw new Error(`Cannot use the client CA ${file}: it holds no certificate`);
	}
	return bundle;
}
