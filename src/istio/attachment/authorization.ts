import type { AuthorizationPolicy, AuthorizationRule } from "../../core/kinds.ts";

/** Whether a policy is only tried: what it would refuse is counted, and let through (annotation istio.io/dry-run). */
export function isOnTrial(policy: AuthorizationPolicy): boolean {
	const value = policy.metadata?.annotations?.["istio.io/dry-run"];
	return value !== undefined && ["1", "t", "T", "TRUE", "true", "True"].includes(value);
}

/** Whether a rule names something of requests, so that istiod leaves a whole ALLOW rule out of TCP chains. */
export function namesHttp({ from, to, when }: AuthorizationRule): boolean {
	const has = (list: readonly string[] | null | undefined): boolean => (list ?? []).length > 0;
	return (
		(from ?? []).some(({ source }) => has(source?.requestPrincipals) || has(source?.notRequestPrincipals)) ||
		(to ?? []).some(({ operation }) =>
			[
				operation?.hosts,
				operation?.notHosts,
				operation?.methods,
				operation?.notMethods,
				operation?.paths,
				operation?.notPaths,
			].some(has),
		) ||
		(when ?? []).some(({ key }) => (key ?? "").startsWith("request."))
	);
}
