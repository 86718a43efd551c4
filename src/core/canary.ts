/** The webhook that denies canaries and nothing else; it stays at `failurePolicy: Ignore` for ever. */
export const canaryWebhook = "canary.waymark.dev";
/** The webhook that warns of what a deletion does to others; it refuses nothing, so it stays at `Ignore` as well. */
export const deletionsWebhook = "deletions.waymark.dev";
/** The webhook that warns of Services at a shared waypoint; it refuses nothing either. */
export const bindingsWebhook = "bindings.waymark.dev";
/** The label by which the API server picks canaries for that webhook; its value is a number used once. */
export const canaryLabel = "egress.waymark.dev/canary";

const nonceForm = /^[0-9a-f]{16,64}$/;

/** What Waymark says to a canary: no other webhook, policy or authorizer can say it, because of the nonce. */
export function canaryMessage(nonce: string): string {
	return `This canary reached Waymark: ${nonce}`;
}

/** The nonce of a canary, or `null` for every other object. */
export function canaryNonce(object: unknown): string | null {
	const nonce = field(field(field(object, "metadata"), "labels"), canaryLabel);
	return typeof nonce === "string" && nonceForm.test(nonce) ? nonce : null;
}

/**
 * Whether an object is istiod's own canary, the dry run of an invalid Gateway by which it learns whether its webhook
 * is reached (pkg/webhooks/validation/controller/controller.go): a denial by Waymark would answer in istiod's place.
 */
export function isIstiodCanary(object: unknown, dryRun: boolean): boolean {
	return (
		dryRun &&
		field(field(field(object, "metadata"), "annotations"), "internal.istio.io/webhook-always-reject") ===
			"true"
	);
}

function field(value: unknown, name: string): unknown {
	return typeof value === "object" && value !== null && Object.hasOwn(value, name)
		? (value as Readonly<Record<string, unknown>>)[name]
		: undefined;
}
