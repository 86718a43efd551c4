import type { Requester } from "./rule.ts";
import type { Settings } from "./settings.ts";

/** Whether who asks is one of the users and groups that may write policies; nobody is where the configuration names none. */
export function isPolicyEditor(requester: Requester | undefined, { policyEditors }: Settings): boolean {
	return (
		requester !== undefined &&
		policyEditors !== undefined &&
		(policyEditors.users.has(requester.username) ||
			requester.groups.some((group) => policyEditors.groups.has(group)))
	);
}
