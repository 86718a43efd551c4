import { ApiError, HttpError } from "./api.ts";

/** What the codes of Node.js and OpenSSL mean for whoever wants to reach an API server. */
const words: ReadonlyMap<string, string> = new Map([
	["ECONNREFUSED", "connection refused"],
	["ENOTFOUND", "no such host"],
	["EAI_AGAIN", "the name server does not answer"],
	["EHOSTUNREACH", "no route to the host"],
	["ENETUNREACH", "no route to the network"],
	["ETIMEDOUT", "no answer in time"],
	["CERT_HAS_EXPIRED", "its certificate has expired"],
	["CERT_NOT_YET_VALID", "its certificate is not valid yet"],
	["ERR_TLS_CERT_ALTNAME_INVALID", "its certificate is for another name"],
	...[
		"DEPTH_ZERO_SELF_SIGNED_CERT",
		"SELF_SIGNED_CERT_IN_CHAIN",
		"UNABLE_TO_GET_ISSUER_CERT",
		"UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
		"UNABLE_TO_VERIFY_LEAF_SIGNATURE",
	].map((code): [string, string] => [
		code,
		"its certificate is not signed by the CA that the kubeconfig names",
	]),
	["EPROTO", "it does not speak TLS as expected; is the server's URL http, or another port?"],
]);

/**
 * Why the API server could not be read, in one line for a person: its own words where it answered. Undefined for an
 * error that is no failure of a cluster.
 */
export function describeFailure(error: unknown): string | undefined {
	if (error instanceof ApiError) {
		return error.status === 401
			? `${error.message}: the API server does not accept these credentials`
			: error.message;
	}
	if (error instanceof HttpError) {
		const code = codeOf(error.cause);
		const meaning = code === "ERR_PROXY_TUNNEL" ? proxyWords(error.cause) : words.get(code ?? "");
		const lines = error.message.split("\n").map((line) => line.trim());
		const message = lines
			.filter((line) => line !== "")
			.join("; ")
			.replace(/^Cannot reach the API server: /, "");
		return meaning === undefined ? message : `${meaning} (${code})`;
	}
	return undefined;
}

/** What a proxy said to being asked for the API server (node:http, the field statusCode of ERR_PROXY_TUNNEL). */
function proxyWords(error: unknown): string {
	const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
	return `the proxy does not let it through${typeof status === "number" ? `: HTTP ${status}` : ""}`;
}

function codeOf(error: unknown): string | undefined {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	return typeof code === "string" ? code : undefined;
}
