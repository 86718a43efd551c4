import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, relative } from "node:path";
import type { FastifyInstance, FastifyReply } from "fastify";

/** One file of the pages, as it is sent. */
interface PageFile {
	readonly type: string;
	readonly tag: string;
	readonly body: Buffer;
}

/** The documentation as it is shown below `/docs/`: each file by its path below that. */
export type Pages = ReadonlyMap<string, PageFile>;

/** Why a folder cannot be shown: it is not there, has no pages, or is too large. */
export class PagesError extends Error {}

/** Most files, and most bytes of all together: several times what Waymark's own pages have. */
export const mostPages: { readonly files: number; readonly bytes: number } = {
	files: 4_000,
	bytes: 32 * 1024 * 1024,
};

const types: Readonly<Record<string, string>> = {
	".html": "text/html; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8",
	".json": "application/json; charset=utf-8",
	".yaml": "text/plain; charset=utf-8",
	".svg": "image/svg+xml",
	".png": "image/png",
};

/** What a page may load: its own scripts, style and pictures, and nothing from anywhere else. */
const contentSecurityPolicy = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"img-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
].join("; ");

/**
 * Reads the built pages below a folder, once: a request is answered from memory, so that nothing it says can become a
 * path. Links and files of other types are left out.
 * @throws PagesError when the folder cannot be read, has no index.html, or is larger than `mostPages`
 */
export function readPages(folder: string): Pages {
	const pages = new Map<string, PageFile>();
	let bytes = 0;
	for (const entry of filesBelow(folder)) {
		const type = types[extname(entry.name)];
		if (!entry.isFile() || type === undefined) {
			continue;
		}
		const file = join(entry.parentPath, entry.name);
		bytes += statSync(file).size;
		if (pages.size >= mostPages.files || bytes > mostPages.bytes) {
			throw new PagesError(
				`it has more than ${mostPages.files} files or ${mostPages.bytes / 1024 / 1024} MiB of pages`,
			);
		}
		const body = readFileSync(file);
		const tag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
		pages.set(relative(folder, file).replaceAll("\\", "/"), { type, tag, body });
	}
	if (!pages.has("index.html")) {
		throw new PagesError("it has no index.html; npm run site writes one");
	}
	return pages;
}

function filesBelow(folder: string): readonly Dirent[] {
	try {
		return readdirSync(folder, { recursive: true, withFileTypes: true });
	} catch (error) {
		throw new PagesError(error instanceof Error && "code" in error ? String(error.code) : String(error));
	}
}

/** Shows the pages below `/docs/`; a page is found without its `.html`, too, as `links` of the configuration name it. */
export function showPages(app: FastifyInstance, pages: Pages): void {
	app.get("/docs", (_request, reply) => reply.redirect("docs/", 308));
	app.get<{ Params: { "*": string } }>("/docs/*", (request, reply) => {
		const path = request.params["*"];
		const isFolder = path === "" || path.endsWith("/");
		const page = isFolder ? pages.get(`${path}index.html`) : (pages.get(path) ?? pages.get(`${path}.html`));
		if (page === undefined) {
			// Relative to where one is, so that it holds behind whatever else is in front.
			return pages.has(`${path}/index.html`)
				? reply.redirect(`${path.slice(path.lastIndexOf("/") + 1)}/`, 308)
				: notFound(reply);
		}
		return send(reply, page, request.headers["if-none-match"]);
	});
}

function send(reply: FastifyReply, { type, tag, body }: PageFile, known: string | undefined): FastifyReply {
	reply.headers({
		"content-security-policy": contentSecurityPolicy,
		"x-content-type-options": "nosniff",
		"referrer-policy": "no-referrer",
		"cross-origin-resource-policy": "same-origin",
		"cache-control": "no-cache",
		etag: tag,
	});
	return known === tag ? reply.code(304).send() : reply.type(type).send(body);
}

function notFound(reply: FastifyReply): FastifyReply {
	return reply.code(404).type("text/plain").send("There is no such page: /docs/ has the contents\n");
}
