import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inventoryHtml } from "../../src/inventory/map.ts";
import { tabulate } from "../../src/inventory/rows.ts";
import { main } from "../../src/main.ts";
import { readReach } from "../../src/reach/reach.ts";
import { entry, namespace, policy, waypoint, worldWith } from "../reach/worlds.ts";

// `npm run test:browser`: the egress map in a real headless Chromium, which must be there (Debian: apt-get install
// chromium; else CHROMIUM names it): nothing is downloaded. --screenshots DIR keeps pictures of what it saw, and
// egress-map-examples.png of the world of examples/, which README.md shows.

interface Page {
	goto(url: string): Promise<unknown>;
	fill(selector: string, text: string): Promise<void>;
	selectOption(selector: string, value: string): Promise<unknown>;
	click(selector: string): Promise<void>;
	focus(selector: string): Promise<void>;
	textContent(selector: string): Promise<string | null>;
	screenshot(options: { readonly path: string }): Promise<unknown>;
	evaluate<T>(script: string): Promise<T>;
	emulateMedia(options: { readonly colorScheme: "light" | "dark" }): Promise<void>;
	on(event: "console" | "pageerror" | "request", listener: (event: never) => void): void;
	readonly keyboard: { press(key: string): Promise<void> };
}

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) {
	console.error(
		"Cannot test the map: there is no Chromium; apt-get install chromium, or name it in CHROMIUM",
	);
	process.exit(1);
}
const { chromium } = createRequire(import.meta.url)("playwright-core") as {
	readonly chromium: {
		launch(options: object): Promise<{ newPage(options: object): Promise<Page>; close(): Promise<void> }>;
	};
};

const hostile = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>';
const plain = entry("bank/evil", "evil.example");
const world = worldWith([
	namespace("bank"),
	namespace("intern", { "denied-hosts": "*.bank.example" }),
	...Array.from({ length: 60 }, (_, place) => namespace(`team-${place}`)),
	waypoint,
	entry("bank/direct", "direct.bank.example", {}, {}),
	{ ...plain, metadata: { ...plain.metadata, annotations: { "egress.waymark.dev/owner": hostile } } },
	entry("bank/none", "none.bank.example", { resolution: "NONE" }),
	entry("bank/shut", "shut.bank.example"),
	policy("bank/shut", "shut", {}),
	...Array.from({ length: 2000 }, (_, place) => entry(`bank/h${place}`, `h${place}.bank.example`)),
]);
const folder = mkdtempSync(join(tmpdir(), "waymark-map-"));
const file = join(folder, "map.html");
writeFileSync(file, inventoryHtml(tabulate(readReach(world, "2026-11-26"), world, "2026-11-26", hostile)));

/** The map of examples/, written by the command itself. */
async function exampleMap(): Promise<string> {
	const path = join(folder, "examples.html");
	let html = "";
	const streams = {
		out: (text: string) => {
			html += text;
		},
		error: (text: string) => assert.fail(text),
		colour: false,
	};
	assert.equal(await main(["inventory", "--output", "html", "examples"], streams), 0);
	writeFileSync(path, html);
	return path;
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
	const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
	const faults: string[] = [];
	const requests: string[] = [];
	page.on("console", (message: { type(): string; text(): string }) => {
		if (message.type() === "error" || message.type() === "warning") {
			faults.push(message.text());
		}
	});
	page.on("pageerror", (error: Error) => faults.push(error.message));
	page.on("request", (request: { url(): string }) => requests.push(request.url()));
	await page.goto(`file://${file}`);
	const count = (): Promise<string | null> => page.textContent("#count");
	assert.equal(await count(), "2004 of 2004 hosts and ports");

	await page.fill("#search", "h1999.");
	assert.equal(await count(), "1 of 2004 hosts and ports");
	await page.click("#hosts button");
	assert.match(
		(await page.textContent("#details")) ?? "",
		/h1999\.bank\.example:443.*through a waypoint.*Gapintern/,
	);

	await page.fill("#search", "evil");
	await page.click("#hosts button");
	assert.ok((await page.textContent("#details"))?.includes(hostile), "what an object says is shown as text");
	assert.equal(await page.evaluate<number>("document.querySelectorAll('img').length"), 0);
	assert.equal(await page.evaluate<number>("document.scripts.length"), 2);

	await page.fill("#search", "");
	for (const [way, wanted] of [
		["direct", 1],
		["unknown", 1],
		["refused", 1],
		["gap", 2002],
	] as const) {
		await page.selectOption("#way", way);
		assert.equal(await count(), `${wanted} of 2004 hosts and ports`, way);
	}
	await page.selectOption("#way", "");
	await page.selectOption("#namespace", "intern");
	assert.equal(await page.textContent("#namespaces [aria-pressed=true]"), "intern");
	await page.selectOption("#namespace", "");

	await page.focus("#hosts button");
	for (const key of ["End", "ArrowUp", "Enter"]) {
		await page.keyboard.press(key);
	}
	const picked = await page.textContent("#hosts [aria-pressed=true]");
	assert.match(picked ?? "", /none\.bank\.example|shut\.bank\.example/);

	const worst = await page.evaluate<number>(`(async () => {
		const box = document.getElementById("hosts");
		let worst = 0;
		for (let step = 0; step < 60; step++) {
			const start = performance.now();
			box.scrollTop = step * 700;
			await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
			worst = Math.max(worst, performance.now() - start);
		}
		return worst;
	})()`);
	assert.ok(worst < 500, `a step of scrolling took ${Math.round(worst)} ms`);

	const at = process.argv.indexOf("--screenshots");
	const pictures = at < 0 ? folder : (process.argv[at + 1] ?? folder);
	mkdirSync(pictures, { recursive: true });
	for (const colorScheme of ["light", "dark"] as const) {
		await page.emulateMedia({ colorScheme });
		await page.screenshot({ path: join(pictures, `egress-map-${colorScheme}.png`) });
	}
	const examples = await exampleMap();
	const small = await browser.newPage({ viewport: { width: 1280, height: 400 } });
	await small.goto(`file://${examples}`);
	assert.match((await small.textContent("#count")) ?? "", /^[1-9][0-9]* of [1-9][0-9]* hosts and ports$/);
	await small.click("#hosts button");
	await small.screenshot({ path: join(pictures, "egress-map-examples.png") });
	await page.click("#view");
	assert.equal(await page.evaluate<number>("document.querySelectorAll('#table tbody tr').length"), 2004);
	assert.deepEqual(faults, []);
	assert.deepEqual(requests, [`file://${file}`]);
	console.log(
		`The map holds: search, filters, click, keyboard, table; no error, no request; worst scroll step ${Math.round(worst)} ms`,
	);
} finally {
	await browser.close();
	rmSync(folder, { recursive: true });
}
