import { fingerprints } from "../certificates/inspect.ts";

/** Since when every webhook has trusted which CA, as this replica saw it. */
export interface Trust {
	/** Takes in the bundles of all webhooks as they are now. */
	note(bundles: readonly string[]): void;
	/** For how long all of them have held this CA, in milliseconds; negative when they do not. */
	lastsMs(cert: string): number;
}

/** Watches trust by the monotonic clock of this replica: what other replicas' clocks say does not matter. */
export function createTrust(): Trust {
	const since = new Map<string, number>();
	return {
		note(bundles) {
			const [first, ...others] = bundles.map((bundle) => new Set(fingerprints(bundle)));
			const everywhere = others.reduce((all, one) => all.intersection(one), first ?? new Set<string>());
			for (const fingerprint of since.keys()) {
				if (!everywhere.has(fingerprint)) {
					since.delete(fingerprint);
				}
			}
			for (const fingerprint of everywhere) {
				since.set(fingerprint, since.get(fingerprint) ?? performance.now());
			}
		},
		lastsMs(cert) {
			const start = since.get(fingerprints(cert)[0] ?? "");
			return start === undefined ? -1 : performance.now() - start;
		},
	};
}
