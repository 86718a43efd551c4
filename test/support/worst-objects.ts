import type { AnyObject } from "../../src/core/kinds.ts";
import { boundEntry, withAnnotations, withSpec } from "../../src/rules/examples.ts";
import { largestEntry } from "./largest-entry.ts";

function counted<T>(size: number, make: (index: number) => T): readonly T[] {
	return Array.from({ length: size }, (_, index) => make(index));
}

function address(index: number): string {
	return `203.0.${index >> 8}.${index & 255}`;
}

function virtualServiceOf(size: number): AnyObject {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "VirtualService",
		metadata: { name: "payments", namespace: "team" },
		spec: {
			hosts: ["api.example.com"],
			gateways: counted(size, (index) => `gateway-${index}`),
			http: counted(size, (index) => ({ route: [{ destination: { host: `h${index}.example.com` } }] })),
		},
	} as AnyObject;
}

/**
 * What has held or ended a replica, and what is judged for longest: as large as the bounds allow, or beyond them. Each of
 * them is judged or refused, and none may end a replica or hold the others up.
 */
export const worstObjects: Readonly<Record<string, AnyObject>> = {
	"the largest entry that is judged": largestEntry,
	"4,096 endpoints": withSpec(boundEntry, {
		resolution: "STATIC",
		endpoints: counted(4_096, (index) => ({ address: address(index) })),
	}),
	"256 addresses": withSpec(boundEntry, { addresses: counted(256, address) }),
	"3,000 addresses": withSpec(boundEntry, { addresses: counted(3_000, address) }),
	"a host of 20,000 labels": withSpec(boundEntry, { hosts: ["a.".repeat(20_000)] }),
	"20,000 duplicates in exportTo": withSpec(boundEntry, { exportTo: counted(20_000, () => "*") }),
	"an annotation of 200,000 spaces": withAnnotations(boundEntry, {
		"egress.waymark.dev/exempt": " ".repeat(200_000),
	}),
	"250 gateways and 250 routes": virtualServiceOf(250),
	"2,000 gateways and 2,000 routes": virtualServiceOf(2_000),
};
