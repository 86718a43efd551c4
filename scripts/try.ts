import { readFileSync } from "node:fs";
import { request } from "node:https";
import { parseArgs, styleText } from "node:util";
import { applyPatch } from "rfc6902";
import { stringify } from "yaml";
import { kinds } from "../src/core/kinds.ts";
import { readManifests } from "../src/manifests/read.ts";

const usage = `Usage: npm run -s try -- FILE… [--url https://127.0.0.1:8443] [--ca .waymark/ca.crt]

Plays the API server: sends each object of the files to /mutate, applies the patch, sends the result to /validate.

Exit: 0 all allowed, 1 some denied, 64 usage, 65 unreadable input or nothing to send, 70 no server`;

interface Answer {
	readonly response: {
		readonly allowed: boolean;
		readonly patch?: string;
		readonly status?: { readonly message: string };
		readonly warnings?: readonly string[];
	};
}

async function tryOut(argv: readonly string[]): Promise<number> {
	const { positionals, values } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			url: { type: "string", default: "https://127.0.0.1:8443" },
			ca: { type: "string", default: ".waymark/ca.crt" },
		},
	});
	if (positionals.length === 0) {
		console.error(usage);
		return 64;
	}
	const reading = readManifests(positionals);
	for (const problem of reading.unreadable) {
		console.error(`${problem.file}:${problem.line}: ${problem.message}`);
	}
	if (reading.unreadable.length > 0) {
		return 65;
	}
	if (!reading.manifests.some(({ kind }) => kind !== undefined)) {
		console.error("Nothing was sent: none of the objects is of a kind that Waymark judges");
		return 65;
	}
	const ca = readFileSync(values.ca, "utf8");
	let denied = false;
	for (const { kind, object } of reading.manifests) {
		if (kind === undefined) {
			continue;
		}
		console.log(
			styleText("bold", `${object.kind} ${object.metadata?.namespace ?? ""}/${object.metadata?.name ?? ""}`),
		);
		const { group, kind: name } = kinds[kind];
		const review = (current: unknown) => ({
			apiVersion: "admission.k8s.io/v1",
			kind: "AdmissionReview",
			request: {
				uid: crypto.randomUUID(),
				kind: { group, version: (object.apiVersion ?? "v1").split("/").at(-1), kind: name },
				namespace: object.metadata?.namespace ?? "default",
				name: object.metadata?.name ?? "",
				operation: "CREATE",
				userInfo: { username: "you" },
				object: current,
			},
		});
		const mutation = await post(`${values.url}/mutate`, ca, review(object));
		const mutated = structuredClone(object);
		if (mutation.response.patch !== undefined) {
			applyPatch(mutated, JSON.parse(Buffer.from(mutation.response.patch, "base64").toString("utf8")));
			console.log(`${styleText("cyan", "mutated")}\n${stringify(mutated).replace(/^/gm, "  ").trimEnd()}`);
		}
		const { response } = await post(`${values.url}/validate`, ca, review(mutated));
		for (const warning of response.warnings ?? []) {
			console.log(`${styleText("yellow", "warning")} ${warning}`);
		}
		denied ||= !response.allowed;
		console.log(
			response.allowed
				? styleText("green", "allowed")
				: `${styleText("red", "denied")}  ${(response.status?.message ?? "").replaceAll("\n", "\n        ")}`,
		);
	}
	return denied ? 1 : 0;
}

function post(url: string, ca: string, body: unknown): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const call = request(
			url,
			{ method: "POST", ca, headers: { "content-type": "application/json" } },
			(answer) => {
				let text = "";
				answer.setEncoding("utf8");
				answer.on("data", (chunk: string) => {
					text += chunk;
				});
				answer.on("end", () => resolve(JSON.parse(text) as Answer));
				answer.on("error", reject);
			},
		);
		call.on("error", reject);
		call.end(JSON.stringify(body));
	});
}

/** What is wrong outside of this script, in one line; undefined for anything else. */
function describeFailure(error: unknown): string | undefined {
	const { code, path } = error as NodeJS.ErrnoException;
	if (code === "ENOENT") {
		return `Cannot read ${path}: there is no such file; npm start writes the CA, --ca names another`;
	}
	if (code === "ECONNREFUSED") {
		return "Cannot reach Waymark: connection refused; npm start starts it, --url names another address";
	}
	return typeof code === "string" ? `Cannot ask Waymark: ${(error as Error).message} (${code})` : undefined;
}

/** What is left of a run that threw: the exit code, when the reason was said. */
function report(error: unknown): number {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code?.startsWith("ERR_PARSE_ARGS")) {
		console.error(`${message}\n\n${usage}`);
		return 64;
	}
	const reason = describeFailure(error);
	if (reason === undefined) {
		throw error;
	}
	console.error(reason);
	return 70;
}

if (import.meta.main) {
	process.exitCode = await tryOut(process.argv.slice(2)).catch(report);
}
