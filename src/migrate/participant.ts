import type { Hops } from "../istio/egress/virtual-services.ts";
import type { InputObject } from "./input-object.ts";

/** What part an object plays in sidecar-style egress. */
export type Role =
	| "gateway"
	| "route"
	| "gateway rule"
	| "host rule"
	| "entry"
	| "sidecar"
	| "client sidecar"
	| "mesh"
	| "policy"
	| "gateway policy"
	| "asm"
	| "listeners"
	| "backend";

/** An object with its part and what ties it to others. */
export interface Participant {
	readonly input: InputObject;
	readonly role: Role;
	/** External hosts that it is about, in canonical form. */
	readonly hosts: readonly string[];
	/** Other ties: such as Gateways, written NAMESPACE/NAME. */
	readonly ties: readonly string[];
	/** For a VirtualService: its hops. */
	readonly hops?: Hops;
}

/** Objects that belong together: one way out for one or more hosts. */
export interface Bundle {
	readonly hosts: readonly string[];
	readonly participants: readonly Participant[];
	/** The DestinationRules that held for each host at the old gateway. */
	readonly rulesAtGateway: ReadonlyMap<string, readonly InputObject[]>;
}
