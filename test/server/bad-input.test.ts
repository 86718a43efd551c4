import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectPlain } from "node:net";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { gzipSync } from "node:zlib";
import {
	boundEntry,
	egressNamespace,
	egressWaypoint,
	plainEntry,
	teamNamespace,
} from "../../src/rules/examples.ts";
import { bodyLimit } from "../../src/server/app.ts";
import { reviewOf } from "../support/reviews.ts";
import { world } from "../support/rule-example.ts";
import type { HttpAnswer, ReviewResponse } from "../support/webhook.ts";
import { patchOf, readAll, runWebhook } from "../support/webhook.ts";

// One server for all of it: what one bad request leaves behind, the next good one would meet.
const webhook = await runWebhook(
	{ after },
	{ state: world([teamNamespace, egressNamespace, egressWaypoint]) },
);
// Half a minute of waiting is for slow clients; a test has less time.
webhook.server.headersTimeout = 400;
webhook.server.requestTimeout = 800;

const good = JSON.stringify(reviewOf(plainEntry));

async function assertAlive(): Promise<void> {
	const mutation = await webhook.ask("mutate", reviewOf(plainEntry));
	assert.equal(patchOf(mutation).length, 1);
	assert.equal((await webhook.ask("validate", reviewOf(boundEntry))).allowed, true);
	assert.equal((await webhook.ask("validate", reviewOf(plainEntry))).allowed, false);
}

function message(answer: HttpAnswer): string {
	const { message } = answer.body as { message?: unknown };
	assert.equal(typeof message, "string");
	assert.deepEqual(Object.keys(answer.body as object), ["message"]);
	return String(message);
}

function response(answer: HttpAnswer): ReviewResponse {
	const { apiVersion, kind, response } = answer.body as Record<string, unknown>;
	assert.deepEqual([answer.status, apiVersion, kind], [200, "admission.k8s.io/v1", "AdmissionReview"]);
	return response as ReviewResponse;
}

/** `{"a":{"a":…}}`, as text: JSON.stringify() cannot write it. */
function nested(levels: number): string {
	return `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
}

interface Refused {
	readonly what: string;
	readonly body: string | Buffer;
	readonly headers?: Readonly<Record<string, string>>;
	readonly status: number;
	readonly message: RegExp;
}

const notJson = /^The body is not an AdmissionReview: it is not valid JSON$/;
const noObject = /^The body is not an AdmissionReview: it is not a JSON object$/;
const noUid = /^The body is not an AdmissionReview: it has no request\.uid$/;
const wrongType = /^The body must be application\/json, without compression$/;
const tooLarge = /^The body is larger than 7 MiB/;

const refused: readonly Refused[] = [
	{ what: "an empty body", body: "", status: 400, message: /^The body is empty/ },
	{ what: "white space", body: " \n", status: 400, message: notJson },
	{ what: "a body that is not JSON", body: "kind: AdmissionReview", status: 400, message: notJson },
	{ what: "half of a review", body: good.slice(0, -20), status: 400, message: notJson },
	{ what: "two reviews in one body", body: good + good, status: 400, message: notJson },
	{ what: "null", body: "null", status: 400, message: noObject },
	{ what: "a string", body: '"review"', status: 400, message: noObject },
	{ what: "a list of reviews", body: `[${good}]`, status: 400, message: noObject },
	{ what: "an empty object", body: "{}", status: 400, message: noUid },
	{ what: "a review without a request", body: '{"kind":"AdmissionReview"}', status: 400, message: noUid },
	{ what: "a request that is a list", body: '{"request":[{"uid":"1"}]}', status: 400, message: noUid },
	{ what: "a review without a uid", body: '{"request":{"operation":"CREATE"}}', status: 400, message: noUid },
	{ what: "a uid that is empty", body: '{"request":{"uid":""}}', status: 400, message: noUid },
	{ what: "a uid that is a number", body: '{"request":{"uid":7}}', status: 400, message: noUid },
	{
		what: "a uid that stands in the prototype",
		body: '{"request":{"__proto__":{"uid":"1"}}}',
		status: 400,
		message: noUid,
	},
	{
		what: "a request that stands in the prototype",
		body: '{"__proto__":{"request":{"uid":"1"}}}',
		status: 400,
		message: noUid,
	},
	{
		what: "a form",
		body: "uid=1",
		headers: { "content-type": "application/x-www-form-urlencoded" },
		status: 415,
		message: wrongType,
	},
	{
		what: "plain text",
		body: good,
		headers: { "content-type": "text/plain" },
		status: 415,
		message: wrongType,
	},
	{
		what: "YAML",
		body: good,
		headers: { "content-type": "application/yaml" },
		status: 415,
		message: wrongType,
	},
	{ what: "no content type", body: good, headers: { "content-type": "" }, status: 415, message: wrongType },
	{
		what: "a content type that is none",
		body: good,
		headers: { "content-type": ";;/" },
		status: 415,
		message: wrongType,
	},
	{
		what: "a gzip body",
		body: gzipSync(good),
		headers: { "content-encoding": "gzip" },
		status: 415,
		message: wrongType,
	},
	{
		what: "a bomb of gzip",
		body: gzipSync(Buffer.alloc(50_000_000)),
		headers: { "content-encoding": "gzip" },
		status: 415,
		message: wrongType,
	},
	{ what: "gzip that nobody announced", body: gzipSync(good), status: 400, message: notJson },
	{
		what: "deflate",
		body: good,
		headers: { "content-encoding": "deflate" },
		status: 415,
		message: wrongType,
	},
	{ what: "a body over 7 MiB", body: Buffer.alloc(bodyLimit + 1, 0x20), status: 413, message: tooLarge },
	{
		what: "a review over 7 MiB",
		body: good.replace("{", `{"padding":"${"x".repeat(bodyLimit)}",`),
		status: 413,
		message: tooLarge,
	},
	{ what: "100,000 levels outside any object", body: nested(100_000), status: 400, message: noUid },
	{
		what: "100,000 lists",
		body: `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
		status: 400,
		message: noObject,
	},
	{ what: "100,000 levels that never end", body: '{"a":'.repeat(100_000), status: 400, message: notJson },
	{ what: "a NUL byte", body: `${good}\u0000`, status: 400, message: notJson },
	{ what: "UTF-16", body: Buffer.from(good, "utf16le"), status: 400, message: notJson },
];

for (const endpoint of ["mutate", "validate"] as const) {
	for (const { what, body, headers, status, message: expected } of refused) {
		test(`POST /${endpoint} answers ${status} to ${what}`, async () => {
			const answer = await webhook.post(`/${endpoint}`, body, headers);
			assert.equal(answer.status, status);
			assert.match(message(answer), expected);
			assert.match(String(answer.headers["content-type"]), /^application\/json/);
			await assertAlive();
		});
	}
}

test("POST /validate counts what it could not read, by status", async () => {
	const text = await webhook.metrics.registry.metrics();
	for (const code of [400, 413, 415]) {
		assert.match(text, new RegExp(`^waymark_http_rejected_total\\{code="${code}"\\} \\d+$`, "m"));
	}
});

test("POST /validate takes a review of exactly 7 MiB", async () => {
	const body = `${good}${" ".repeat(bodyLimit - Buffer.byteLength(good))}`;
	assert.equal(response(await webhook.post("/validate", body)).allowed, false);
});

test("POST /validate takes application/json with parameters", async () => {
	const headers = { "content-type": "application/json; charset=utf-8" };
	assert.equal(response(await webhook.post("/validate", good, headers)).allowed, false);
});

test("POST /validate takes a body that says it is not compressed", async () => {
	const answer = await webhook.post("/validate", good, { "content-encoding": "identity" });
	assert.equal(response(answer).allowed, false);
});

test("GET /validate and POST elsewhere are answered 404 with what there is", async () => {
	for (const path of ["/", "/mutate/", "/validate/x", "/livez", "/%zz", `/${"x".repeat(5_000)}`]) {
		const answer = await webhook.post(path, good);
		assert.ok(answer.status === 404 || answer.status === 400, `${path}: ${answer.status}`);
		assert.doesNotMatch(JSON.stringify(answer.body), /xxxx|%zz/);
	}
	assert.match(message(await webhook.post("/", good)), /^Not found: the webhook answers/);
	await assertAlive();
});

/** The answer to a review, of which the API server's word for the object is replaced by JSON text. */
async function judged(endpoint: "mutate" | "validate", field: string, json: string): Promise<ReviewResponse> {
	const review = good.replace(`"${field}":`, `"${field}":${json},"was":`);
	assert.notEqual(review, good, `the review has no field ${field}`);
	return response(await webhook.post(`/${endpoint}`, review));
}

test("POST /validate judges an object of 100,000 levels by its fields that it knows", async () => {
	const deep = JSON.stringify(plainEntry).replace('"spec":', `"deep":${nested(100_000)},"spec":`);
	assert.match(
		(await judged("validate", "object", deep)).status?.message ?? "",
		/serviceentry-waypoint-binding/,
	);
	assert.equal(patchOf(await judged("mutate", "object", deep)).length, 1);
	await assertAlive();
});

test("POST /validate answers an object with 100,000 levels where a field of another type belongs", async () => {
	for (const levels of [5_000, 10_000, 100_000]) {
		for (const place of ["spec", "hosts", "metadata", "labels", "resolution", "ports"]) {
			const text = JSON.stringify(boundEntry);
			const deep = text.replace(`"${place}":`, `"${place}":${nested(levels)},"was":`);
			assert.notEqual(deep, text);
			const validation = await judged("validate", "object", deep);
			assert.equal(validation.allowed, false, `${levels} levels at ${place}`);
			// An unknown field is nothing wrong in metadata, but then its labels are gone.
			const expected = place === "metadata" ? /waypoint-binding: / : /^serviceentry-schema: /;
			assert.match(validation.status?.message ?? "", expected);
			await judged("mutate", "object", deep);
		}
	}
	assert.deepEqual(
		webhook.logs.filter((line) => line.includes("failed")),
		[],
	);
	await assertAlive();
});

test("POST /validate answers an update from and to an object of 100,000 levels", async () => {
	const deep = JSON.stringify(plainEntry).replace('"hosts":', `"hosts":${nested(100_000)},"was":`);
	const review = JSON.stringify(reviewOf(plainEntry, { old: {} })).replace(
		'"oldObject":{}',
		`"oldObject":${deep}`,
	);
	assert.equal(response(await webhook.post("/validate", review)).allowed, false);
	assert.equal(typeof response(await webhook.post("/mutate", review)).allowed, "boolean");
	const both = review.replace('"object":', `"object":${deep},"was":`);
	assert.equal(typeof response(await webhook.post("/validate", both)).allowed, "boolean");
	assert.deepEqual(
		webhook.logs.filter((line) => line.includes("failed")),
		[],
	);
	await assertAlive();
});

test("POST /validate judges an object with keys of the prototype like any other, and pollutes nothing", async () => {
	const keys =
		'"__proto__":{"polluted":true,"x":{}},"constructor":{"prototype":{"polluted":true}},"toString":1';
	const labels = '"labels":{"__proto__":"x","constructor":"y","hasOwnProperty":"z"}';
	const object = JSON.stringify(plainEntry)
		.replace('"spec":{', `"spec":{${keys},`)
		.replace('"metadata":{', `"metadata":{${keys},${labels},`)
		.replace("{", `{${keys},`);
	const validation = await judged("validate", "object", object);
	assert.equal(validation.allowed, false);
	assert.match(validation.status?.message ?? "", /serviceentry-waypoint-binding/);
	const [first] = patchOf(await judged("mutate", "object", object)) as { path: string }[];
	assert.match(first?.path ?? "", /^\/metadata\/labels\/istio\.io~1use-waypoint/);
	assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
	assert.equal(({} as { polluted?: unknown }).polluted, undefined);
	await assertAlive();
});

test("POST /validate takes a field from the prototype for absent", async () => {
	const object = JSON.stringify(boundEntry).replace('"spec":', '"__proto__":');
	assert.equal((await judged("validate", "object", object)).allowed, false);
	await judged("mutate", "object", object);
	await assertAlive();
});

test("POST /validate reads bytes that are not UTF-8 as the API server's decoder does, as U+FFFD", async () => {
	const broken = Buffer.from(good.replace("api.payments", "api.paym?nts"));
	broken[broken.indexOf("?")] = 0x80;
	const answer = response(await webhook.post("/validate", broken));
	assert.equal(answer.allowed, false);
	assert.match(answer.status?.message ?? "", /api\.paym\u{FFFD}nts/u);
	await assertAlive();
});

test("POST /validate lets the last of two equal keys count, as the API server's decoder does", async () => {
	const text = JSON.stringify(boundEntry);
	const twice = text.replace('"spec":', '"spec":{"hosts":[]},"spec":');
	assert.equal((await judged("validate", "object", twice)).allowed, true);
	const other = text.replace(/\}$/, ',"spec":{"hosts":[]}}');
	assert.equal((await judged("validate", "object", other)).allowed, false);
});

test("POST /validate answers a chunked body beyond 7 MiB and one that never ends with 413, and hangs up", async () => {
	const socket = await webhook.open();
	const answered = readAll(socket, 2_000);
	socket.write(
		"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
	);
	const chunk = `${(65_536).toString(16)}\r\n${"x".repeat(65_536)}\r\n`;
	const closed = new Promise((resolve) => socket.once("close", resolve));
	let sent = 0;
	while (socket.writable && sent < 64 * 1024 * 1024) {
		sent += 65_536;
		if (!socket.write(chunk)) {
			await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), closed]);
		}
	}
	assert.match(await answered, /^HTTP\/1\.1 413 /);
	assert.ok(socket.destroyed || !socket.writable, "the connection is still open");
	assert.ok(sent < 32 * 1024 * 1024, `read ${sent} bytes`);
	await assertAlive();
});

test("POST /validate ends a request whose body comes too slowly, and answers others meanwhile", async () => {
	const socket = await webhook.open();
	const answered = readAll(socket, 4_000);
	socket.write(
		`POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${good.length}\r\n\r\n`,
	);
	const dripping = setInterval(() => socket.write(" "), 100);
	await assertAlive();
	assert.match(await answered, /^HTTP\/1\.1 408 /);
	clearInterval(dripping);
	assert.equal(socket.destroyed, true);
	await assertAlive();
});

test("POST /validate ends a request whose headers never come to an end", async () => {
	const socket = await webhook.open();
	const answered = readAll(socket, 4_000);
	socket.write("POST /validate HTTP/1.1\r\n");
	const dripping = setInterval(() => socket.write("x: y\r\n"), 100);
	assert.match(await answered, /^HTTP\/1\.1 408 /);
	clearInterval(dripping);
	await assertAlive();
});

test("POST /validate takes the first request of a connection that has said nothing for longer than headers may take", async () => {
	const socket = await webhook.open();
	const answered = readAll(socket, 4_000);
	// Node.js looks every two seconds.
	await sleep(3_000);
	socket.write(
		`POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${good.length}\r\nconnection: close\r\n\r\n${good}`,
	);
	assert.match(await answered, /^HTTP\/1\.1 200 /);
});

test("POST /validate answers a body that is shorter than it says by ending the connection", async () => {
	const socket = await webhook.open();
	socket.write(
		`POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${good.length + 10}\r\n\r\n${good}`,
	);
	socket.end();
	await readAll(socket);
	await assertAlive();
});

test("POST /validate survives a client that goes away in the middle of its body", async () => {
	for (let round = 0; round < 20; round++) {
		const socket = await webhook.open();
		socket.write(
			`POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${good.length}\r\n\r\n${good.slice(0, 50 * round)}`,
		);
		socket.destroy();
	}
	await assertAlive();
});

function httpText(body: string, more = ""): string {
	return `POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;
}

test("POST /validate answers pipelined requests in their order, bad ones among them", async () => {
	const socket = await webhook.open();
	const answered = readAll(socket);
	const uids = ["first", "second", "third"];
	const bodies = uids.map((uid) => JSON.stringify(reviewOf(plainEntry, { request: { uid } })));
	socket.write([bodies[0], "{}", bodies[1], bodies[2]].map((body) => httpText(body ?? "")).join(""));
	const text = await answered;
	assert.deepEqual(
		[...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((each) => each[1]),
		["200", "400", "200", "200"],
	);
	assert.deepEqual(
		[...text.matchAll(/"uid":"(\w+)"/g)].map((each) => each[1]),
		uids,
	);
	socket.destroy();
	await assertAlive();
});

test("createWebhook() refuses what is not HTTP with 400", async () => {
	for (const garbage of [
		"\u0000\u0001\u0002\r\n\r\n",
		"HELO mail\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"POST /validate HTTP/9.9\r\n\r\n",
		"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n12345",
		"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
	]) {
		const socket = await webhook.open();
		const answered = readAll(socket);
		socket.write(garbage);
		assert.match(await answered, /^HTTP\/1\.1 400 /, JSON.stringify(garbage));
		socket.destroy();
	}
	await assertAlive();
});

test("createWebhook() refuses headers of 100 KiB with 431", async () => {
	const socket = await webhook.open();
	const answered = readAll(socket);
	socket.write(`POST /validate HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(100_000)}\r\n\r\n`);
	assert.match(await answered, /^HTTP\/1\.1 431 /);
	await assertAlive();
});

test("createWebhook() hangs up on plain HTTP and on bytes that are no TLS", async () => {
	for (const bytes of [httpText(good), "\u0000".repeat(100), "\u0016\u0003\u0001garbage"]) {
		const socket = connectPlain(webhook.port, "127.0.0.1");
		socket.on("error", () => {});
		socket.write(bytes);
		socket.resume();
		socket.end();
		await once(socket, "close");
	}
	await assertAlive();
});

test("createWebhook() speaks HTTP/1.1 to a client that offers HTTP/2 too, and ends the handshake of one that speaks nothing else", async () => {
	const offer = (...protocols: readonly string[]) =>
		connect({ host: "127.0.0.1", port: webhook.port, ca: webhook.ca, ALPNProtocols: [...protocols] });
	const both = offer("h2", "http/1.1");
	await once(both, "secureConnect");
	assert.equal(both.alpnProtocol, "http/1.1");
	const answered = readAll(both);
	// An upgrade to HTTP/2 in clear text is not taken either.
	const upgrade =
		"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n";
	both.write(httpText(good).replace("\r\n\r\n", `\r\n${upgrade}\r\n`));
	assert.match(await answered, /^HTTP\/1\.1 200 /);
	both.destroy();
	const [error] = (await once(offer("h2"), "error")) as [NodeJS.ErrnoException];
	assert.match(String(error.code), /NO_APPLICATION_PROTOCOL/);
	await assertAlive();
});

test("createWebhook() refuses a client of TLS 1.1", async () => {
	const socket = connect({
		host: "127.0.0.1",
		port: webhook.port,
		ca: webhook.ca,
		minVersion: "TLSv1.1",
		maxVersion: "TLSv1.1",
		ciphers: "DEFAULT@SECLEVEL=0",
	});
	const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
	assert.match(String(error.code), /PROTOCOL_VERSION/);
	await assertAlive();
});

test("createWebhook() lives through 200 connections that say nothing", async () => {
	const sockets = await Promise.all(Array.from({ length: 200 }, () => webhook.open()));
	await assertAlive();
	for (const socket of sockets) {
		socket.destroy();
	}
	await assertAlive();
});
