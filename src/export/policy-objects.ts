import { celList } from "../core/cel.ts";
import { systemNamespaces } from "../core/exempt-namespaces.ts";
import type { Kind } from "../core/kinds.ts";
import { kinds } from "../core/kinds.ts";
import type { Rule } from "../core/rule.ts";
import type { PolicyEditors, Settings } from "../core/settings.ts";
import type { Manifest } from "./mesh-table.ts";
import { tableName } from "./mesh-table.ts";

/** What a policy does about what it finds: refuse it, warn of it, or only put it into the audit log. */
export type Action = "deny" | "warn" | "audit";

/** What to print. */
export interface BackstopOptions {
	readonly settings: Settings;
	readonly rules: readonly Rule[];
	/** Namespaces that are not judged, besides Kubernetes' own and those of the settings. */
	readonly exempt: readonly string[];
	/** Labels on every object. */
	readonly labels: Readonly<Record<string, string>>;
	readonly actions: readonly Action[];
	/** Who may write policies: whom the settings name, or whom RBAC lets `edit` `egresspolicies.egress.waymark.dev`. */
	readonly editors: "settings" | "rbac";
	/** The namespace of istiod. */
	readonly istioNamespace: string;
	/** The user name of Waymark's service account. */
	readonly account: string;
}

/** The labels of every object, where there are any. */
export function labelled({ labels }: BackstopOptions): { readonly labels?: BackstopOptions["labels"] } {
	return Object.keys(labels).length === 0 ? {} : { labels };
}

/** What puts a policy in force; one that reads the table is given it. */
export function binding(
	options: BackstopOptions,
	name: string,
	actions: readonly string[],
	readsTable = false,
): Manifest {
	return {
		apiVersion: "admissionregistration.k8s.io/v1",
		kind: "ValidatingAdmissionPolicyBinding",
		metadata: { name, ...labelled(options) },
		spec: {
			policyName: name,
			// Without the table nobody is refused: what it says is not what must hold.
			...(readsTable ? { paramRef: { name: tableName, parameterNotFoundAction: "Allow" } } : {}),
			validationActions: actions,
		},
	};
}

/** The selector of every namespace that is judged. */
export function judgedNamespaces({ settings, exempt }: BackstopOptions): object {
	return {
		matchExpressions: [
			{
				key: "kubernetes.io/metadata.name",
				operator: "NotIn",
				values: [...new Set([...systemNamespaces, ...settings.exemptNamespaces, ...exempt])],
			},
		],
	};
}

/** The writes that can bring a mistake into the cluster. */
export type Operation = "CREATE" | "UPDATE";
export const bothOperations: readonly Operation[] = ["CREATE", "UPDATE"];

/** What is written of these kinds: one entry for each API group, since a policy with more of them matches the same. */
export function writesOf(
	judged: Iterable<Kind>,
	operations: readonly Operation[] = bothOperations,
): readonly object[] {
	return [...Map.groupBy(new Set(judged), (kind) => kinds[kind].group)].map(([group, list]) => ({
		apiGroups: [group],
		apiVersions: ["*"],
		operations,
		resources: list.map((kind) => kinds[kind].plural),
		scope: "Namespaced",
	}));
}

/** Whether the requester is one of these, in CEL. */
export function isAmong({ users, groups }: PolicyEditors): string {
	return `(request.userInfo.username in ${celList(users)} ||
    request.userInfo.?groups.orValue([]).exists(g, g in ${celList(groups)}))`;
}

/** What is created from a backup is not refused; the auditor tells of it. */
export function restorerConditions({ restorers }: Settings): readonly object[] {
	return restorers === undefined
		? []
		: [{ name: "not-restored", expression: `request.operation != 'CREATE' || !${isAmong(restorers)}` }];
}
