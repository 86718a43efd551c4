import { authorityFault, joinBundle } from "../../certificates/inspect.ts";
import type { AuthorityState, FoundState, Step } from "./authority-state.ts";

/** The label-like annotation on the Secret by which an operator asks for a rotation now. */
export const rotateAnnotation = "egress.waymark.dev/rotate-ca";

const keys = {
	cert: "ca.crt",
	key: "ca.key",
	nextCert: "next-ca.crt",
	nextKey: "next-ca.key",
	retired: "retired-ca.crt",
	retiredUntil: "retired-until",
} as const;

/** The `data` of the Secret for a state. */
export function secretData(state: AuthorityState): Readonly<Record<string, string>> {
	const text: Record<string, string> = { [keys.cert]: state.signing.cert, [keys.key]: state.signing.key };
	if (state.next !== null) {
		text[keys.nextCert] = state.next.cert;
		text[keys.nextKey] = state.next.key;
	}
	if (state.retired !== "") {
		text[keys.retired] = state.retired;
		text[keys.retiredUntil] = (state.retiredUntil ?? new Date(0)).toISOString();
	}
	return Object.fromEntries(
		Object.entries(text).map(([key, value]) => [key, Buffer.from(value, "utf8").toString("base64")]),
	);
}

/** Reads the Secret, whatever somebody has done to it. */
export function readState(secret: unknown, now: Date): FoundState {
	const { data, annotations } = partsOf(secret);
	const text = (key: string): string => {
		const value = data[key];
		return typeof value === "string" ? Buffer.from(value, "base64").toString("utf8") : "";
	};
	const signing = { cert: text(keys.cert), key: text(keys.key) };
	const next = { cert: text(keys.nextCert), key: text(keys.nextKey) };
	const hasNext = next.cert !== "" || next.key !== "";
	const signingFault = secret === null ? "it does not exist" : authorityFault(signing, now);
	const nextFault = hasNext ? authorityFault(next, now) : null;
	const retired = joinBundle([text(keys.retired)]);
	const until = new Date(text(keys.retiredUntil));
	const retiredUntil = retired === "" || Number.isNaN(until.getTime()) ? null : until;
	const faults = [
		...(signingFault === null ? [] : [`the CA is unusable: ${signingFault}`]),
		...(nextFault === null ? [] : [`the next CA is unusable: ${nextFault}`]),
		...(retired !== "" && retiredUntil === null ? ["the retired CAs have no end"] : []),
	];
	const usableNext = hasNext && nextFault === null ? next : null;
	return {
		state: signingFault === null ? { signing, next: usableNext, retired, retiredUntil } : null,
		faults,
		salvaged: joinBundle([signing.cert, next.cert, retired]),
		salvagedNext: usableNext,
		rotateRequested: annotations[rotateAnnotation] !== undefined,
	};
}

/** The Secret with a new state: other people's keys, labels and annotations stay, a granted request to rotate goes. */
export function secretBody(secret: unknown, step: Step, namespace: string, name: string): object {
	const data = secretData(step.state);
	if (secret === null) {
		return {
			apiVersion: "v1",
			kind: "Secret",
			metadata: {
				name,
				namespace,
				labels: { "app.kubernetes.io/name": "waymark", "app.kubernetes.io/managed-by": "waymark" },
			},
			type: "Opaque",
			data,
		};
	}
	const { metadata, ...rest } = recordOf(secret);
	const annotations = { ...recordOf(recordOf(metadata).annotations) };
	if (step.kind === "rotating") {
		delete annotations[rotateAnnotation];
	}
	const ours = new Set<string>(Object.values(keys));
	const theirs = Object.entries(partsOf(secret).data).filter(([key]) => !ours.has(key));
	return {
		...rest,
		metadata: { ...recordOf(metadata), annotations },
		data: { ...Object.fromEntries(theirs), ...data },
	};
}

function partsOf(secret: unknown): {
	readonly data: Readonly<Record<string, unknown>>;
	readonly annotations: Readonly<Record<string, unknown>>;
} {
	const { data, metadata } = recordOf(secret);
	return { data: recordOf(data), annotations: recordOf(recordOf(metadata).annotations) };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
