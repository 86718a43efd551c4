import type { Requester } from "./rule.ts";
import type { PolicyEditors, Settings } from "./settings.ts";

/** Whether who asks is one of the users and groups that may write policies; nobody is where the configuration names none. */
export function isPolicyEditor(requester: Requester | undefined, { policyEditors }: Settings): boolean {
	return isAmong(requester, policyEditors);
}

/** Whether who asks restores from backups; nobody does where the configuration names none. */
export function isRestorer(requester: Requester | undefined, { restorers }: Settings): boolean {
	return isAmong(requester, restorers);
}

function isAmong(requester: Requester | undefined, people: PolicyEditors | undefined): boolean {
	return (
		requester !== undefined &&
		people !== undefined &&
		(people.users.has(requester.username) || requester.groups.some((group) => people.groups.has(group)))
	);
}
