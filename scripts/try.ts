import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join, relative } from "node:path";
import { parseArgs, styleText } from "node:util";
import { applyPatch } from "rfc6902";
import { stringify } from "yaml";
import { mention } from "../src/core/finding.ts";
import { kinds } from "../src/core/kinds.ts";
import type { Manifest } from "../src/manifests/read.ts";
import { readManifests } from "../src/manifests/read.ts";
import { fileFault } from "../src/settings/file-fault.ts";

const usage = `Usage: npm run -s try -- FILE|DIR|-… [--url https://127.0.0.1:8443] [--ca FILE]

Plays the API server: sends each object of the files to /mutate, applies the patch, sends the result to /validate.

  --url URL   where the webhook answers (https://127.0.0.1:8443)
  --ca FILE   the CA that its certificate is held against (.waymark/ca.crt, which npm start writes)

Exit: 0 all allowed, 1 some denied, 64 usage, 65 unreadable input or CA, or nothing to send, 70 no answer`;

/** As long as an API server waits for a webhook at most, in milliseconds (admissionregistration.k8s.io/v1 timeoutSeconds). */
const deadlineMs = 30_000;

/** Where npm start, which runs in the folder of the package, leaves its CA. */
const ownCa = join(import.meta.dirname, "../.waymark/ca.crt");

/** Why nothing could be asked, in one line for a person, and the exit code that says so. */
class CannotTry extends Error {
	readonly code: number;

	constructor(message: string, code: number) {
		super(message);
		this.name = "CannotTry";
		this.code = code;
	}
}

interface Answer {
	readonly response: {
		readonly allowed: boolean;
		readonly patch?: string;
		readonly status?: { readonly message: string };
		readonly warnings?: readonly string[];
	};
}

/** The server that is asked, and the CA that vouches for it. */
interface Asked {
	readonly url: URL;
	readonly ca: string;
	readonly caFile: string;
}

async function tryOut(argv: readonly string[]): Promise<number> {
	const { positionals, values } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			url: { type: "string", default: "https://127.0.0.1:8443" },
			ca: { type: "string", default: relative(".", ownCa) },
			help: { type: "boolean", short: "h", default: false },
		},
	});
	if (values.help) {
		console.log(usage);
		return 0;
	}
	if (positionals.length === 0) {
		console.error(usage);
		return 64;
	}
	const asked = { url: readUrl(values.url), caFile: values.ca };
	const reading = readManifests(positionals);
	for (const problem of [...reading.unreadable, ...reading.notes]) {
		console.error(`${problem.file}:${problem.line}: ${problem.message}`);
	}
	if (reading.unreadable.length > 0) {
		return 65;
	}
	if (!reading.manifests.some(({ kind }) => kind !== undefined)) {
		throw new CannotTry("Nothing was sent: none of the objects is of a kind that Waymark judges", 65);
	}
	const server = { ...asked, ca: readCa(asked.caFile) };
	let denied = false;
	for (const manifest of reading.manifests) {
		denied = !(await tryObject(manifest, server)) || denied;
	}
	return denied ? 1 : 0;
}

/** Sends one object as the API server would, and says what came of it; gives whether it was allowed. */
async function tryObject({ kind, object }: Manifest, server: Asked): Promise<boolean> {
	const { namespace, name = "" } = object.metadata ?? {};
	const place = namespace === undefined ? "" : `${namespace}/`;
	console.log(styleText("bold", mention(`${object.kind ?? "object"} ${place}${name}`)));
	if (kind === undefined) {
		console.log(`${styleText("dim", "not sent")} Waymark judges no such kind`);
		return true;
	}
	const { group, kind: kindName } = kinds[kind];
	const review = (current: unknown) => ({
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		request: {
			uid: crypto.randomUUID(),
			kind: { group, version: (object.apiVersion ?? "v1").split("/").at(-1), kind: kindName },
			namespace: namespace ?? "default",
			name,
			operation: "CREATE",
			userInfo: { username: "you" },
			object: current,
		},
	});
	const mutation = await post("mutate", server, review(object));
	const mutated = structuredClone(object);
	if (mutation.response.patch !== undefined) {
		applyPatch(mutated, JSON.parse(Buffer.from(mutation.response.patch, "base64").toString("utf8")));
		console.log(`${styleText("cyan", "mutated")}\n${stringify(mutated).replace(/^/gm, "  ").trimEnd()}`);
	}
	const { response } = await post("validate", server, review(mutated));
	for (const warning of response.warnings ?? []) {
		console.log(`${styleText("yellow", "warning")} ${warning}`);
	}
	console.log(
		response.allowed
			? styleText("green", "allowed")
			: `${styleText("red", "denied")}  ${(response.status?.message ?? "").replaceAll("\n", "\n        ")}`,
	);
	return response.allowed;
}

function readUrl(text: string): URL {
	const url = URL.parse(text);
	if (url?.protocol !== "https:") {
		throw new CannotTry(
			`--url must begin with https://, such as https://127.0.0.1:8443, and is ${JSON.stringify(text)}`,
			64,
		);
	}
	return url;
}

function readCa(file: string): string {
	let text: string;
	try {
		text = readFileSync(file, "utf8");
	} catch (error) {
		throw new CannotTry(
			`Cannot read the CA ${file}: ${fileFault(error)}; npm start writes it, --ca FILE names another`,
			65,
		);
	}
	try {
		new X509Certificate(text);
	} catch {
		throw new CannotTry(`Cannot use the CA ${file}: it holds no certificate in PEM`, 65);
	}
	return text;
}

/** @throws CannotTry where nobody answers, or what answers is no webhook */
function post(path: string, { url, ca, caFile }: Asked, body: unknown): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const fail = (reason: string): void => reject(new CannotTry(`Cannot ask ${url.host}: ${reason}`, 70));
		const failWith = (error: NodeJS.ErrnoException): void => fail(faultOf(error, caFile));
		const call = request(
			new URL(path, `${url.href.replace(/\/*$/, "")}/`),
			{
				method: "POST",
				ca,
				headers: { "content-type": "application/json" },
				signal: AbortSignal.timeout(deadlineMs),
			},
			(answer) => {
				let text = "";
				answer.setEncoding("utf8");
				answer.on("data", (chunk: string) => {
					text += chunk;
				});
				answer.on("end", () => {
					const read = readAnswer(text);
					if (read === undefined) {
						fail(`HTTP ${answer.statusCode} came, and no AdmissionReview; --url names the webhook's address`);
					} else {
						resolve(read);
					}
				});
				answer.on("error", failWith);
			},
		);
		call.on("error", failWith);
		call.end(JSON.stringify(body));
	});
}

function readAnswer(text: string): Answer | undefined {
	try {
		const answer = JSON.parse(text) as Partial<Answer> | null;
		return typeof answer?.response?.allowed === "boolean" ? (answer as Answer) : undefined;
	} catch {
		return undefined;
	}
}

/** What Node.js says of a connection, and what to do about it. */
function faultOf(error: NodeJS.ErrnoException, caFile: string): string {
	switch (error.name === "TimeoutError" ? "ETIMEDOUT" : error.code) {
		case "ECONNREFUSED":
			return "connection refused; npm start starts Waymark, --url names another address";
		case "ETIMEDOUT":
		case "ABORT_ERR":
			return `no answer within ${deadlineMs / 1000} s`;
		case "ENOTFOUND":
			return "no such host";
		case "DEPTH_ZERO_SELF_SIGNED_CERT":
		case "SELF_SIGNED_CERT_IN_CHAIN":
		case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
		case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
		case "CERT_SIGNATURE_FAILURE":
			return `its certificate is not signed by the CA in ${caFile}; --ca FILE names that of the server that runs`;
		case "ERR_TLS_CERT_ALTNAME_INVALID":
			return "its certificate is for another name; --url takes one that it was made for, such as 127.0.0.1 or localhost";
		case "EPROTO":
			return "it does not speak TLS; --url names the webhook's address";
		default:
			return `${error.message}${error.code === undefined ? "" : ` (${error.code})`}`;
	}
}

/** What is left of a run that threw: the exit code, when the reason was said. */
function report(error: unknown): number {
	if (error instanceof CannotTry) {
		console.error(error.message);
		return error.code;
	}
	const { code, message } = error as NodeJS.ErrnoException;
	if (code?.startsWith("ERR_PARSE_ARGS")) {
		console.error(`${message}\n\n${usage}`);
		return 64;
	}
	throw error;
}

if (import.meta.main) {
	process.exitCode = await tryOut(process.argv.slice(2)).catch(report);
}
