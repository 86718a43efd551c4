/** What a request needs to name a resource: `group` is "" for the core group. */
export interface Resource {
	readonly group: string;
	readonly plural: string;
	/** Versions that Waymark can read, the preferred one first. */
	readonly versions: readonly string[];
	/** Restricts lists and watches to one namespace. */
	readonly namespace?: string;
	/** Restricts lists and watches, such as `metadata.name=istio`. */
	readonly fieldSelector?: string;
}

/** The API server answered, and the answer is not 2xx. */
export class ApiError extends Error {
	/** The HTTP status, or the code of an ERROR event of a watch. */
	readonly status: number;
	/** `reason` of the Status object (`Expired`, `Forbidden` …), or "" when the body was none. */
	readonly reason: string;
	/** Milliseconds that the server asks callers to wait. */
	readonly retryAfterMs: number | undefined;

	constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
		super(message);
		this.name = "ApiError";
		this.status = status;
		this.reason = reason;
		this.retryAfterMs = retryAfterMs;
	}
}

/** Why an exchange with the API server broke, other than by an answer of its own. */
export type HttpFailure =
	| "unreachable"
	| "timeout"
	| "silent"
	| "cut"
	| "malformed"
	| "oversized"
	| "credentials";

/** The exchange broke: no connection, no answer in time, a stream that ended or made no sense. */
export class HttpError extends Error {
	readonly failure: HttpFailure;

	constructor(failure: HttpFailure, message: string, cause?: unknown) {
		super(message, cause === undefined ? undefined : { cause });
		this.name = "HttpError";
		this.failure = failure;
	}
}

/** The path of a collection or, with `name`, of one object; every part is percent-encoded. */
export function resourcePath(
	group: string,
	version: string,
	plural: string,
	namespace?: string,
	name?: string,
): string {
	const root =
		group === ""
			? `/api/${encodeURIComponent(version)}`
			: `/apis/${encodeURIComponent(group)}/${encodeURIComponent(version)}`;
	const scope =
		namespace === undefined || namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
	const tail = name === undefined ? "" : `/${encodeURIComponent(name)}`;
	return `${root}${scope}/${encodeURIComponent(plural)}${tail}`;
}

/** Reads `Retry-After`: seconds, the only form the API server sends; capped at two minutes. */
export function retryAfterMs(header: unknown): number | undefined {
	if (typeof header !== "string" || !/^\d{1,9}$/.test(header)) {
		return undefined;
	}
	return Math.min(Number(header), 120) * 1000;
}

// Text from a proxy or a stranger may reach a log line or a status page: one line, printable, short.
const unprintable = /[^\x20-\x7e]+/g;

/** The error of an answer that is not 2xx, from its body: a Status object or any text. */
export function errorOfAnswer(status: number, body: string, retryAfter?: unknown): ApiError {
	let reason = "";
	let message: string;
	try {
		const parsed: unknown = JSON.parse(body);
		const fields = (typeof parsed === "object" && parsed !== null ? parsed : {}) as {
			reason?: unknown;
			message?: unknown;
		};
		reason = typeof fields.reason === "string" ? fields.reason : "";
		message = shortLine(typeof fields.message === "string" ? fields.message : "") || `HTTP ${status}`;
	} catch {
		message = describeText(status, body);
	}
	return new ApiError(status, reason, message, retryAfterMs(retryAfter));
}

function shortLine(text: string): string {
	return text.replace(unprintable, " ").trim().slice(0, 300);
}

/** Whether a text that should be JSON is a page of HTML, which something in front of the API server has put in its place. */
export function isHtml(text: string): boolean {
	return /^\s*</.test(text);
}

/** What is no JSON: a page that a proxy put in the place of an answer, by its title, or Go's "404 page not found". */
function describeText(status: number, body: string): string {
	const title = /<title[^>]*>([^<]{0,200})/i.exec(body.slice(0, 10_000))?.[1] ?? "";
	const isPage = isHtml(body);
	const text = shortLine((isPage ? title : body).replaceAll(/\s+/g, " "));
	const code = text.startsWith(String(status)) ? "HTTP" : `HTTP ${status}`;
	const said = text === "" ? `HTTP ${status}` : `${code} ${text}`;
	return isPage ? `${said} (a page of HTML: something in front of the API server answered)` : said;
}

/** The error of an ERROR event of a watch, whose object is a Status. */
export function errorOfEvent(object: unknown): ApiError {
	const status = (typeof object === "object" && object !== null ? object : {}) as {
		code?: unknown;
		reason?: unknown;
		message?: unknown;
		details?: { retryAfterSeconds?: unknown } | null;
	};
	const seconds = status.details?.retryAfterSeconds;
	return new ApiError(
		typeof status.code === "number" ? status.code : 500,
		typeof status.reason === "string" ? status.reason : "",
		typeof status.message === "string"
			? status.message.replace(unprintable, " ").slice(0, 300)
			: "watch ended with an error event",
		typeof seconds === "number" && seconds > 0 ? Math.min(seconds, 120) * 1000 : undefined,
	);
}
