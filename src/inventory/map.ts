import type { Bits } from "../reach/bits.ts";
import { numbersOf, rememberSets } from "../reach/bits.ts";
import { mapScript, mapStyle } from "./map-page.ts";
import { gapText, setWriter, wayText } from "./people.ts";
import type { Row, Table } from "./rows.ts";

/**
 * The egress map: one page without any request to the network, namespaces left, waypoints in the middle, hosts right.
 * What objects say stands in a block of JSON that cannot end itself, and the page makes text of it, never HTML.
 */
export function inventoryHtml(table: Table): string {
	const title = `Egress map${table.cluster === null ? "" : ` of ${table.cluster}`}, ${table.day}`;
	return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'none'; base-uri 'none'">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${mapStyle}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
<form>
<label>Search <input id="search" type="search" autocomplete="off"></label>
<label>Namespace <select id="namespace"><option value="">all</option></select></label>
<label>Status <select id="way"><option value="">all</option><option value="waypoint">● through a waypoint</option><option value="direct">▲ direct</option><option value="refused">■ refused</option><option value="unknown">◆ unknown</option><option value="gap">with a gap</option></select></label>
<button id="view" type="button">Table</button>
</form>
</header>
<main>
<div id="map">
<div id="namespaces" class="list" role="group" aria-label="Namespaces"></div><div></div>
<div id="waypoints" class="list" role="group" aria-label="Waypoints"></div><div></div>
<div id="hosts" class="list" role="group" aria-label="Hosts"></div>
<svg id="edges" aria-hidden="true"></svg>
</div>
<div id="table" hidden></div>
<aside id="details" aria-live="polite"></aside>
</main>
<footer><span id="count"></span><span class="waypoint">● through a waypoint</span><span class="direct">▲ direct</span><span class="refused">■ refused</span><span class="unknown">◆ unknown to the mesh</span></footer>
<script type="application/json" id="data">${dataJson(table)}</script>
<script>${mapScript}</script>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
	return text
		.replaceAll("&", "&amp;")
		.replaceAll("<", "&lt;")
		.replaceAll(">", "&gt;")
		.replaceAll('"', "&quot;");
}

/** JSON in which no tag, comment or entity can begin. */
function dataJson(table: Table): string {
	const lists: (readonly number[])[] = [];
	const set = rememberSets((bits: Bits) => lists.push([...numbersOf(bits)]) - 1);
	const words = setWriter(table);
	const rows = table.rows.map((row, id) => ({
		id,
		host: row.host,
		port: row.port,
		protocol: row.protocol,
		tls: row.tls,
		way: row.way,
		waypoint: row.waypoint,
		may: set(row.may),
		can: set(row.can),
		gap: set(row.gap),
		unnamed: set(row.unnamed),
		past: set(row.past),
		refused: set(row.refused),
		declaredBy: row.declaredBy.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
		allowedBy: row.allowedBy.map(({ namespace, line }) => `${namespace}: ${line}`),
		owner: row.owner,
		ticket: row.ticket,
		reason: row.reason,
		reviewBy: row.reviewBy,
		exemptions: row.exemptions.map(
			({ rule, until, daysLeft }) => `${rule} until ${until} (${daysLeft} days left)`,
		),
		search: `${row.waypoint ?? row.way} ${row.declaredBy.map(({ namespace, name }) => `${namespace}/${name}`).join(" ")} ${row.owner ?? ""}`,
		steps: stepsOf(row, words),
	}));
	return JSON.stringify({ namespaces: table.namespaces, sets: lists, rows })
		.replaceAll("<", "\\u003c")
		.replaceAll(">", "\\u003e")
		.replaceAll("&", "\\u0026")
		.replaceAll("\u2028", "\\u2028")
		.replaceAll("\u2029", "\\u2029");
}

/** What becomes of connections to a host and port, step by step. */
function stepsOf(row: Row, words: (bits: Bits) => string): readonly string[] {
	const entries = row.declaredBy.map(({ namespace, name }) => `${namespace}/${name}`).join(", ");
	return [
		`ServiceEntry ${entries} declares ${row.host}:${row.port}`,
		row.way === "unknown"
			? "ztunnel knows it by no address, so that connections leave directly"
			: `Way: ${wayText(row)}`,
		`Policies allow it to: ${words(row.may)}`,
		`AuthorizationPolicies at the waypoint refuse: ${words(row.refused)}`,
		`Past every waypoint get there: ${words(row.past)}`,
		`Against their policy get there: ${gapText(row, words)}`,
	];
}
