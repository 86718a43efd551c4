import type { CelCheck } from "../../core/cel.ts";
import { celService } from "../../core/cel.ts";
import { celEgressLabels, celSaysEgressGateway } from "../../istio/egress/names.ts";

/** What is wrong with an egress gateway, at the end of a sentence. */
export const noPlace = "a sidecar-style egress gateway, which has no place where ambient is enforced";
/** What to do instead. */
export const instead = "a ServiceEntry bound to the namespace's waypoint replaces it";

/** Whether a Service, as NAMESPACE/NAME, is an egress gateway's by its name and the configuration. */
export const isNamedService = (key: string): string =>
	`(${key}.endsWith('/istio-egressgateway') || ${key} in variables.egressServices ||
    ${key}.substring(${key}.indexOf('/') + 1) in variables.egressServices)`;

/** Whether the table knows it for one, or its name says so and no waypoint has it. */
const isKnownService = (key: string, host: string): string =>
	`(${key} in params.spec.?egressServices.orValue({}) ||
    ${celSaysEgressGateway(`${key}.substring(${key}.indexOf('/') + 1)`)} && !(${key} in params.spec.?waypoints.orValue({})) &&
    !(${host}.matches('^[^.]+[.](com|org|net|io|dev|app|cloud|co|ai|gov|edu|info|local|internal|example|[a-z]{2})[.]?$')))`;

/** What leads to an egress gateway by its Service. */
export function leadsToGateway(path: string, verb: string, hint: string): CelCheck {
	const base = { path, hint: `${hint}; ${instead}` };
	const message = `${verb} "{h}", ${noPlace}`;
	return {
		problems: [
			{
				...base,
				each: ["h", "e.hosts"],
				when: `[${celService("h")}].exists(k, k != '' && ${isNamedService("k")})`,
				message,
			},
			{
				...base,
				needs: "table",
				each: ["h", "e.hosts"],
				when: `[${celService("h")}].exists(k, k != '' && !${isNamedService("k")} &&
    ${isKnownService("k", "h")})`,
				message,
			},
		],
		gap: "a gateway that only its use gives away",
	};
}

/** What picks an egress gateway by the labels of its pods. */
export function selectsGateway(path: string, message: string, hint: string): CelCheck {
	return {
		problems: [{ when: celEgressLabels("e.pods"), path, message, hint }],
		gap: "a gateway that only its use or its Service gives away",
	};
}
