import type { BackfillExtent } from "../audit/backfill.ts";
import type { TlsFloor } from "../server/tls.ts";
import type { BackstopExtent } from "./backstop.ts";
import type { Installation } from "./installation.ts";

/** What the webhook demands of whoever connects. */
export interface ClientDemands {
	readonly minVersion: TlsFloor;
	/** The file of the CAs that verify client certificates; undefined: none is asked for. */
	readonly clientCaFile: string | undefined;
	/** The names of which a client certificate must bear one; empty: any certificate of those CAs will do. */
	readonly clientNames: readonly string[];
}

/** Where to listen, or where one listens. */
export interface Address {
	readonly host: string;
	readonly port: number;
}

/** What a server is asked to do. */
export interface ServeOptions {
	readonly world: string | undefined;
	readonly kubeconfig: string | undefined;
	/** The environment of an exec plugin that the kubeconfig names. */
	readonly variables: Readonly<Record<string, string | undefined>>;
	/** Where a Pod finds its API server, from its environment. */
	readonly apiServer: { readonly host: string | undefined; readonly port: string | undefined };
	readonly config: string | undefined;
	/** The folder of the built documentation, shown on the operations port; undefined: it is not shown. */
	readonly docs: string | undefined;
	readonly certificates: string;
	readonly bootstrap: boolean;
	/** Whether what is stored is judged, too, by the replica that holds the Lease. */
	readonly audit: boolean;
	/** Whether the replica that audits counts or binds entries that were there before. */
	readonly backfill: BackfillExtent | undefined;
	/** This replica's name, unique among all. */
	readonly identity: string;
	/** What the API server shall have of the backstop, and of which version; undefined: nobody looks. */
	readonly backstop: { readonly extent: BackstopExtent; readonly version: string } | undefined;
	readonly demands: ClientDemands;
	readonly installation: Omit<Installation, "clusterDomain">;
	readonly listen: Address;
	readonly operations: Address;
}
