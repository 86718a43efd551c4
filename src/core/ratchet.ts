import type { Finding } from "./finding.ts";
import { formatPath } from "./finding.ts";

/**
 * Ratcheting: an update is refused only for what the object that it replaces did not have. Where it reaches further
 * (`widens`), a mistake of the whole object is a new one for what is added: an old opt-out is no way out for other hosts.
 */
export function markInherited(
	findings: readonly Finding[],
	before: readonly Finding[],
	widens: boolean,
): readonly Finding[] {
	const had = new Map<string, number>();
	for (const finding of before) {
		had.set(identity(finding), (had.get(identity(finding)) ?? 0) + 1);
	}
	return findings.map((finding) => {
		const left = had.get(identity(finding)) ?? 0;
		if (left === 0 || finding.severity !== "error" || (widens && isAboutWhole(finding))) {
			return finding;
		}
		had.set(identity(finding), left - 1);
		return { ...finding, inherited: true };
	});
}

/** Whether a mistake is not that of one item of a list, such as one host. */
function isAboutWhole(finding: Finding): boolean {
	return finding.path.every((step) => typeof step === "string");
}

/** The same mistake at another index of a list is the same mistake. */
function identity(finding: Finding): string {
	return `${finding.rule}\n${finding.message}\n${formatPath(finding.path.filter((step) => typeof step === "string"))}`;
}
