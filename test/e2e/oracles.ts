import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request as httpRequest } from "undici";
import type { Api, KubeObject } from "./api.ts";
import type { Ports } from "./components.ts";

/** What istiod's validation webhook says about an object. */
export interface IstiodVerdict {
	readonly allowed: boolean;
	/** Empty when allowed. */
	readonly message: string;
	/** Always empty when denied: istiod's denials carry no warnings. */
	readonly warnings: readonly string[];
}

/** The condition `istio.io/WaypointBound` of an object; status and reason are "None" and "" where there is no condition. */
export interface WaypointBound {
	readonly status: "True" | "False" | "None";
	readonly reason: string;
	readonly message: string;
}

/** A service as ztunnels are sent it. */
export interface AmbientService {
	readonly namespace: string;
	readonly hostname: string;
	/** The name of the ServiceEntry or Service. */
	readonly name: string;
	/** Addresses and CIDRs; none: ztunnel never captures it by address. */
	readonly addresses: readonly string[];
	/** `NAMESPACE/NAME` of the waypoint, or its address where istiod knows no name; null: traffic goes out directly. */
	readonly waypoint: string | null;
	/** The canary waypoint as `NAMESPACE/NAME WEIGHT`; null: there is none, or it gets nothing. */
	readonly canary: string | null;
	/** False: another object with this host is preferred. */
	readonly canonical: boolean;
}

/** A workload as ztunnels are sent it: asked before any service about a connection to one of its addresses. */
export interface AmbientWorkload {
	readonly namespace: string;
	readonly name: string;
	/** Plain IP addresses, IPv6 in eight groups. */
	readonly addresses: readonly string[];
	/** Whether connections to it go through a waypoint of its own. */
	readonly hasWaypoint: boolean;
}

/** What istiod itself says. */
export interface IstiodOracles {
	/** Debug and readiness, plain HTTP. */
	readonly httpUrl: string;
	/** Webhooks, HTTPS for the name istiod.istio-system.svc. */
	readonly httpsUrl: string;
	/** The certificate of istiod's own authority, PEM: a webhook's caBundle. */
	ca(): Promise<string>;
	/** Asks istiod's webhook about an object, as its creation, or as an update of `old`. It need not be stored. */
	validate(object: KubeObject, old?: KubeObject): Promise<IstiodVerdict>;
	/** Waits until istiod has acted on everything that was written before the call: conditions, VIPs and ztunnel's view. */
	settle(timeout?: number): Promise<void>;
	/** Settles, then reads whether istiod calls a ServiceEntry (or `kind`) bound. */
	waypointBound(namespace: string, name: string, kind?: string): Promise<WaypointBound>;
	/** What ztunnels are sent at this moment; call `settle` first where something was just written. */
	ambientz(): Promise<readonly AmbientService[]>;
	/** The workloads that ztunnels are sent at this moment: pods, endpoints and WorkloadEntries. */
	ambientWorkloads(): Promise<readonly AmbientWorkload[]>;
	/** Settles, then returns the services of one ServiceEntry: one for each host, none when istiod ignores it. */
	ambientServices(namespace: string, name: string): Promise<readonly AmbientService[]>;
	/** Polls until the predicate holds, and returns the services; throws with the last ones after `timeout` ms (10 s). */
	waitForAmbient(
		holds: (services: readonly AmbientService[]) => boolean,
		timeout?: number,
	): Promise<readonly AmbientService[]>;
}

// Waymark judges nothing in kube-* namespaces, so no webhook under test is called for the markers.
const markerNamespace = "kube-public";
const markerPrefix = "waymark-e2e-marker-";

/** Opens the oracles of a running istiod; it may be restarted meanwhile. */
export function createIstiodOracles(api: Api, ports: Ports): IstiodOracles {
	const httpUrl = `http://127.0.0.1:${ports.istiodHttp}`;
	const httpsUrl = `https://127.0.0.1:${ports.istiodHttps}`;

	const ca = async (): Promise<string> => {
		const secret = await api.get("Secret", "istio-system", "istio-ca-secret");
		const data = secret?.data as { "ca-cert.pem"?: string } | undefined;
		return Buffer.from(data?.["ca-cert.pem"] ?? "", "base64").toString();
	};
	let webhook: Promise<Agent> | undefined;
	const openWebhook = async (): Promise<Agent> =>
		new Agent({ connect: { ca: await ca(), servername: "istiod.istio-system.svc" } });

	const view = async (): Promise<RawView> => {
		const response = await httpRequest(`${httpUrl}/debug/ambientz`);
		return (await response.body.json()) as RawView;
	};
	const rawServices = async (): Promise<readonly RawService[]> => (await view()).services ?? [];
	const ambientz = async (): Promise<readonly AmbientService[]> =>
		(await rawServices()).map(decodeService).filter(({ name }) => !name.startsWith(markerPrefix));
	const isCaptured = async (name: string): Promise<boolean> =>
		(await rawServices()).some((each) => each.name === name && (each.addresses?.length ?? 0) > 0);
	const settle = async (timeout = 15_000): Promise<void> => {
		// istiod works off its queues in order: when the marker has its condition, its VIP and its place in
		// ztunnel's view, so has everything that was written before it.
		const name = `${markerPrefix}${randomUUID()}`;
		const deadline = Date.now() + timeout;
		await api.create(marker(name));
		try {
			while (Date.now() < deadline) {
				const object = await api.get("ServiceEntry", markerNamespace, name);
				if (object !== undefined && readCondition(object).status !== "None" && (await isCaptured(name))) {
					return;
				}
				await sleep(20);
			}
			throw new Error(`Cannot settle: istiod has not acted on ServiceEntry ${name} within ${timeout} ms`);
		} finally {
			await api.delete("ServiceEntry", markerNamespace, name);
		}
	};

	return {
		httpUrl,
		httpsUrl,
		ca,
		ambientz,
		async ambientWorkloads() {
			return ((await view()).workloads ?? []).map(({ namespace, name, addresses, waypoint }) => ({
				namespace,
				name,
				addresses: (addresses ?? []).map(decodeAddress),
				hasWaypoint: waypoint !== undefined && waypoint !== null,
			}));
		},
		settle,
		async validate(object, old) {
			webhook ??= openWebhook();
			const response = await httpRequest(`${httpsUrl}/validate`, {
				method: "POST",
				dispatcher: await webhook,
				headers: { "content-type": "application/json" },
				body: JSON.stringify(review(object, old)),
			});
			const text = await response.body.text();
			if (response.statusCode !== 200) {
				throw new Error(`Cannot ask istiod to validate: HTTP ${response.statusCode} ${text}`);
			}
			const answer = (JSON.parse(text) as { response: RawVerdict }).response;
			const { allowed, status, warnings } = answer;
			return { allowed, message: status?.message ?? "", warnings: warnings ?? [] };
		},
		async waypointBound(namespace, name, kind = "ServiceEntry") {
			await settle();
			const object = await api.get(kind, namespace, name);
			if (object === undefined) {
				throw new Error(`Cannot read the condition of ${kind} ${namespace}/${name}: it does not exist`);
			}
			return readCondition(object);
		},
		async ambientServices(namespace, name) {
			await settle();
			const services = await ambientz();
			return services.filter((each) => each.namespace === namespace && each.name === name);
		},
		async waitForAmbient(holds, timeout = 10_000) {
			const deadline = Date.now() + timeout;
			for (;;) {
				const services = await ambientz();
				if (holds(services)) {
					return services;
				}
				if (Date.now() > deadline) {
					const seen = JSON.stringify(services, undefined, "\t");
					throw new Error(`Cannot see the expected services after ${timeout} ms, but these: ${seen}`);
				}
				await sleep(50);
			}
		},
	};
}

/** Reads `istio.io/WaypointBound` from an object's status. */
export function readCondition(object: KubeObject): WaypointBound {
	const status = object.status as { conditions?: readonly RawCondition[] } | undefined;
	const condition = status?.conditions?.find(({ type }) => type === "istio.io/WaypointBound");
	if (condition === undefined) {
		return { status: "None", reason: "", message: "" };
	}
	const { reason, message } = condition;
	return { status: condition.status === "True" ? "True" : "False", reason, message };
}

interface RawCondition {
	readonly type: string;
	readonly status: string;
	readonly reason: string;
	readonly message: string;
}

interface RawVerdict {
	readonly allowed: boolean;
	readonly status?: { readonly message?: string };
	readonly warnings?: readonly string[];
}

/** workloadapi.Service in protojson (istio.io/istio pkg/workloadapi/workload.proto): what is false or empty is left out. */
interface RawView {
	readonly services: readonly RawService[] | null;
	readonly workloads: readonly RawWorkload[] | null;
}

interface RawWorkload {
	readonly name: string;
	readonly namespace: string;
	/** Base64 of the bytes of each address, or of its text. */
	readonly addresses?: readonly string[];
	readonly waypoint?: unknown;
}

interface RawService {
	readonly name: string;
	readonly namespace: string;
	readonly hostname: string;
	/** Base64 of the address as text, and the prefix length of a CIDR. */
	readonly addresses?: readonly { readonly address: string; readonly length?: number }[];
	readonly waypoint?: RawGatewayAddress;
	/** The waypoint, then its canary; where there is one. */
	readonly weightedWaypoints?: readonly {
		readonly destination: RawGatewayAddress;
		readonly weight?: number;
	}[];
	readonly canonical?: boolean;
}

interface RawGatewayAddress {
	readonly hostname?: { readonly namespace: string; readonly hostname: string };
	readonly address?: { readonly address: string };
}

function decodeService(raw: RawService): AmbientService {
	const { namespace, hostname, name, waypoint } = raw;
	const canary = raw.weightedWaypoints?.[1];
	const weight = canary?.weight ?? 0;
	return {
		namespace,
		hostname,
		name,
		addresses: (raw.addresses ?? []).map(({ address, length }) =>
			length === undefined ? decodeText(address) : `${decodeText(address)}/${length}`,
		),
		waypoint: waypoint === undefined ? null : nameWaypoint(waypoint),
		canary: canary === undefined || weight === 0 ? null : `${nameWaypoint(canary.destination)} ${weight}`,
		canonical: raw.canonical === true,
	};
}

function nameWaypoint({ hostname, address }: RawGatewayAddress): string {
	if (hostname === undefined) {
		return decodeText(address?.address ?? "");
	}
	const suffix = `.${hostname.namespace}.svc.cluster.local`;
	const { namespace, hostname: host } = hostname;
	return `${namespace}/${host.endsWith(suffix) ? host.slice(0, -suffix.length) : host}`;
}

/** An address as istiod's debug page writes it for a workload: IPv4 or IPv6 in bytes, or text, in base64. */
export function decodeAddress(base64: string): string {
	const bytes = Buffer.from(base64, "base64");
	if (bytes.length === 4) {
		return [...bytes].join(".");
	}
	return bytes.length === 16 ? (bytes.toString("hex").match(/.{4}/g) ?? []).join(":") : bytes.toString();
}

function decodeText(base64: string): string {
	return Buffer.from(base64, "base64").toString();
}

function marker(name: string): KubeObject {
	return {
		apiVersion: "networking.istio.io/v1",
		kind: "ServiceEntry",
		// A waypoint that does not exist: istiod writes a condition that says so.
		metadata: { name, namespace: markerNamespace, labels: { "istio.io/use-waypoint": name } },
		spec: {
			hosts: [`${name}.invalid`],
			ports: [{ number: 443, name: "tls", protocol: "TLS" }],
			resolution: "DNS",
			location: "MESH_EXTERNAL",
		},
	};
}

function review(object: KubeObject, old: KubeObject | undefined): object {
	const [group = "", version = ""] = object.apiVersion.split("/");
	return {
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		request: {
			uid: randomUUID(),
			kind: { group, version, kind: object.kind },
			resource: { group, version, resource: `${object.kind.toLowerCase()}s` },
			name: object.metadata.name,
			namespace: object.metadata.namespace,
			operation: old === undefined ? "CREATE" : "UPDATE",
			userInfo: { username: "waymark-e2e" },
			object,
			oldObject: old ?? null,
		},
	};
}
