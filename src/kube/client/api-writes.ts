/** The options of a write, or of a read that must see the newest state. */
export interface ApiRequest {
	readonly query?: Readonly<Record<string, string>>;
	readonly body?: unknown;
	readonly signal?: AbortSignal;
	/** Milliseconds for the whole exchange. */
	readonly deadlineMs?: number;
}

/** What certificates and bootstrap need of the API server: the parsed answer, or an error with its HTTP `status`. */
export interface ApiServer {
	request(method: "GET" | "POST" | "PUT", path: string, options?: ApiRequest): Promise<unknown>;
}

/** How our writes are named in `managedFields`, so that Helm and GitOps tools can tell them from a person's. */
export const fieldManager = "waymark";

/** The HTTP status of a failed request, or `null` when there was no answer. */
export function statusOf(error: unknown): number | null {
	const status = typeof error === "object" && error !== null && "status" in error ? error.status : null;
	return typeof status === "number" ? status : null;
}

/** Reads one object in its newest state, or `null` when it does not exist. */
export async function readObject(
	api: ApiServer,
	path: string,
	options: ApiRequest = {},
): Promise<unknown | null> {
	try {
		return await api.request("GET", path, options);
	} catch (error) {
		if (statusOf(error) === 404) {
			return null;
		}
		throw error;
	}
}

/** Whether a write lost against another one (409), so that reading again and deciding anew is the answer. */
export function isConflict(error: unknown): boolean {
	// 404 on a PUT: the object was deleted in between, which is another way to have lost.
	const status = statusOf(error);
	return status === 409 || status === 404;
}
