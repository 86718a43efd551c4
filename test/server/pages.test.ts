import assert from "node:assert/strict";
import { once } from "node:events";
import { symlinkSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { describe, it } from "node:test";
import { createMetrics } from "../../src/server/metrics.ts";
import { mostPages, PagesError, readPages } from "../../src/server/pages.ts";
import { createOperations } from "../../src/server/probes.ts";
import { temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
folder.write("secret.html", "the secret");
folder.write("site/index.html", "<h1>Contents</h1>");
folder.write("site/rules/index.html", "<h1>Rules</h1>");
folder.write("site/rules/object-size.html", "<h1>object-size</h1>");
folder.write("site/assets/site.css", "h1 {}");
folder.write("site/notes.txt", "of no type that is shown");
const site = join(folder.path, "site");
symlinkSync(join(folder.path, "secret.html"), join(site, "linked.html"));

async function run(context: TestContext): Promise<number> {
	const app = createOperations(() => [], createMetrics(), readPages(site));
	await app.listen({ host: "127.0.0.1", port: 0 });
	context.after(() => app.close());
	return (app.server.address() as AddressInfo).port;
}

/** Sends a request as it is written: a client of a library would tidy its path. */
async function raw(port: number, path: string, method = "GET"): Promise<string> {
	const socket = connect(port, "127.0.0.1");
	socket.end(`${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
	let answer = "";
	socket.setEncoding("utf8").on("data", (text: string) => {
		answer += text;
	});
	await once(socket, "close");
	return answer;
}

describe("createOperations() with pages", () => {
	it("shows a page, with and without .html, and lets it load nothing from elsewhere", async (context) => {
		const port = await run(context);
		for (const path of ["rules/object-size", "rules/object-size.html", "rules/object-size?a=../b"]) {
			const answer = await fetch(`http://127.0.0.1:${port}/docs/${path}`);
			assert.equal(answer.status, 200, path);
			assert.equal(answer.headers.get("content-type"), "text/html; charset=utf-8");
			assert.equal(
				answer.headers.get("content-security-policy"),
				"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			);
			assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
			assert.equal(await answer.text(), "<h1>object-size</h1>");
			const again = await fetch(`http://127.0.0.1:${port}/docs/${path}`, {
				headers: { "if-none-match": answer.headers.get("etag") ?? "" },
			});
			assert.equal(again.status, 304);
		}
		assert.match(await raw(port, "/docs/assets/site.css", "HEAD"), /^HTTP\/1.1 200[\s\S]*text\/css/);
	});

	it("leads to the contents and to those of a folder by a relative address", async (context) => {
		const port = await run(context);
		for (const [path, to] of [
			["/docs", "docs/"],
			["/docs/rules", "rules/"],
		] as const) {
			assert.match(await raw(port, path), new RegExp(`^HTTP/1.1 308[\\s\\S]*\\r\\nlocation: ${to}\\r\\n`));
		}
		assert.equal(await (await fetch(`http://127.0.0.1:${port}/docs`)).text(), "<h1>Contents</h1>");
		assert.equal(await (await fetch(`http://127.0.0.1:${port}/docs/rules/`)).text(), "<h1>Rules</h1>");
	});

	it("gives nothing that is not a page below the folder, however it is asked for", async (context) => {
		const port = await run(context);
		for (const path of [
			"/docs/../secret.html",
			"/docs/..%2fsecret.html",
			"/docs/%2e%2e/secret.html",
			"/docs/..%5csecret.html",
			"/docs/%252e%252e%252fsecret.html",
			`/docs/${folder.path}/secret.html`,
			`/docs//${folder.path}/secret.html`,
			"/docs/linked.html",
			"/docs/notes.txt",
			"/docs/secret",
			"/docs/index.html%00.css",
			"/docs/constructor",
			"/docs/__proto__",
			"/docs/rules/object-size/",
			`/docs/${"a/".repeat(3000)}`,
		]) {
			const answer = await raw(port, path);
			assert.match(answer, /^HTTP\/1.1 (?:404|400|414) /, path);
			assert.doesNotMatch(answer, /the secret|of no type/, path);
		}
		assert.match(await raw(port, "/docs/index.html", "POST"), /^HTTP\/1.1 404 /);
	});

	it("answers the probes as before, and shows no pages where there are none", async (context) => {
		const port = await run(context);
		assert.match(await raw(port, "/livez"), /^HTTP\/1.1 200 /);
		const plain = createOperations(() => [], createMetrics());
		context.after(() => plain.close());
		assert.equal((await plain.inject("/docs/")).statusCode, 404);
	});
});

describe("readPages()", () => {
	it("says why a folder cannot be shown", () => {
		assert.throws(() => readPages(join(folder.path, "none")), new PagesError("ENOENT"));
		folder.write("empty/other.html", "");
		assert.throws(() => readPages(join(folder.path, "empty")), /^Error: it has no index\.html; npm run site/);
		folder.write("large/index.html", "");
		folder.write("large/a.png", "x".repeat(mostPages.bytes));
		folder.write("large/b.png", "x");
		assert.throws(
			() => readPages(join(folder.path, "large")),
			/^Error: it has more than 4000 files or 32 MiB/,
		);
	});
});
