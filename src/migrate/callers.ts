import type { Fields } from "./fields.ts";
import { fieldsOf, listOf, textOf } from "./fields.ts";
import type { InputObject } from "./input-object.ts";

const podOwners: ReadonlySet<string> = new Set([
	"Deployment",
	"StatefulSet",
	"DaemonSet",
	"ReplicaSet",
	"Job",
]);

/** The metadata and the spec of the pods that an object of the input makes, or is. */
function podOf({
	title,
	object,
}: InputObject): { readonly metadata: Fields; readonly spec: Fields } | undefined {
	const spec = fieldsOf(object.spec);
	const job = fieldsOf(fieldsOf(spec.jobTemplate).spec);
	const pod =
		title === "Pod"
			? object
			: podOwners.has(title)
				? fieldsOf(spec.template)
				: title === "CronJob"
					? fieldsOf(job.template)
					: undefined;
	return pod === undefined ? undefined : { metadata: fieldsOf(pod.metadata), spec: fieldsOf(pod.spec) };
}

/** The service accounts of the pods in a namespace that have some labels, as far as the input has their workloads. */
export function accountsOf(
	inputs: readonly InputObject[],
	namespace: string,
	labels: Fields,
): readonly string[] {
	const wanted = Object.entries(labels);
	const accounts = inputs.flatMap((input) => {
		const pod = input.namespace === namespace ? podOf(input) : undefined;
		const own = fieldsOf(pod?.metadata.labels);
		return pod !== undefined && wanted.every(([name, value]) => own[name] === value)
			? [textOf(pod.spec.serviceAccountName) ?? textOf(pod.spec.serviceAccount) ?? "default"]
			: [];
	});
	return wanted.length === 0 ? [] : [...new Set(accounts)].toSorted();
}

/** A caller of an ASMEgressTrafficPolicy: its namespace, and the service accounts that stand for its labels. */
export interface Caller {
	/** Where in the rule's `from` it stands. */
	readonly at: number;
	readonly namespace: string;
	readonly isSelected: boolean;
	/** Empty where the whole namespace is meant, or where the input has no such workload. */
	readonly accounts: readonly string[];
}

function isEmptyMap(value: unknown): boolean {
	return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** The callers that a rule names. */
export function callersOf(rule: Fields, inputs: readonly InputObject[]): readonly Caller[] {
	return listOf(rule.from)
		.map(fieldsOf)
		.flatMap((from, at) => {
			const namespace = textOf(from.namespace);
			const selector = fieldsOf(from.workloadSelector);
			// An empty map selects every workload of the namespace.
			const isSelected = from.workloadSelector !== undefined && !isEmptyMap(from.workloadSelector);
			return namespace === undefined
				? []
				: [{ at, namespace, isSelected, accounts: accountsOf(inputs, namespace, selector) }];
		});
}

/** The callers as sources of an AuthorizationPolicy, whatever the trust domain is called. */
export function sourcesOf(callers: readonly Caller[]): readonly Fields[] {
	const namespaces = callers.filter(({ accounts }) => accounts.length === 0).map((each) => each.namespace);
	const principals = callers.flatMap(({ namespace, accounts }) =>
		accounts.map((account) => `*/ns/${namespace}/sa/${account}`),
	);
	return [
		...(namespaces.length > 0 ? [{ namespaces: [...new Set(namespaces)] }] : []),
		...(principals.length > 0 ? [{ principals: [...new Set(principals)] }] : []),
	];
}
