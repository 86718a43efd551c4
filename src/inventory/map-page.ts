/** The style of the map; colours come in a light and a dark set, and every status has a shape as well. */
export const mapStyle = `
:root{color-scheme:light dark;--ink:light-dark(#1b1f24,#e6e8eb);--dim:light-dark(#59636e,#9198a1);--paper:light-dark(#fff,#0f1216);--line:light-dark(#d1d9e0,#30363d);--pick:light-dark(#ddf4ff,#12304f);--waypoint:light-dark(#1a7f37,#3fb950);--direct:light-dark(#bc4c00,#f0883e);--refused:light-dark(#0969da,#58a6ff);--unknown:light-dark(#8250df,#a371f7)}
*{box-sizing:border-box}body{margin:0;font:14px/1.4 system-ui,sans-serif;color:var(--ink);background:var(--paper);display:flex;flex-direction:column;height:100vh}
header{padding:.6rem 1rem;border-bottom:1px solid var(--line);display:flex;gap:.6rem 1rem;flex-wrap:wrap;align-items:center}h1{font-size:1rem;margin:0}label{display:inline-flex;gap:.3rem;align-items:center}
input,select,button{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);border-radius:4px;padding:.15rem .4rem}:focus-visible{outline:2px solid var(--refused);outline-offset:1px}
main{flex:1;display:flex;min-height:0}#map{position:relative;flex:1;display:grid;grid-template-columns:minmax(9rem,1fr) minmax(5rem,1fr) minmax(9rem,14rem) minmax(5rem,1fr) minmax(14rem,2fr);overflow:hidden}
#map[hidden],#table[hidden]{display:none}.list{overflow:auto;position:relative;z-index:1}.list button,.row{position:absolute;left:0;right:0;height:24px;border:0;background:none;text-align:left;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;padding:0 .4rem;border-radius:0}
.list button[aria-pressed=true]{background:var(--pick);font-weight:600}svg{position:absolute;inset:0;width:100%;height:100%;pointer-events:none}path{fill:none;stroke-width:1.5;opacity:.7}
.waypoint{color:var(--waypoint);stroke:var(--waypoint)}.direct{color:var(--direct);stroke:var(--direct)}.refused{color:var(--refused);stroke:var(--refused)}.unknown{color:var(--unknown);stroke:var(--unknown)}
path.direct{stroke-dasharray:6 3}path.refused{stroke-dasharray:2 3}path.unknown{stroke-dasharray:1 5}
aside{width:22rem;border-left:1px solid var(--line);padding:.6rem 1rem;overflow:auto}aside h2{font-size:1rem;overflow-wrap:anywhere;margin:.2rem 0}dl{display:grid;grid-template-columns:auto 1fr;gap:.2rem .6rem;margin:0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
#table{flex:1;overflow:auto}table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid var(--line);padding:.2rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}thead th{position:sticky;top:0;background:var(--paper)}
footer{padding:.3rem 1rem;border-top:1px solid var(--line);color:var(--dim)}footer span{margin-right:1rem}
@media print{body{height:auto}header form,aside,#map{display:none!important}#table{display:block!important;overflow:visible}}
`;

/**
 * The script of the map. It reads the data of the page, makes elements with `textContent` only, and asks the network for
 * nothing. Lists draw the rows in view, so that thousands of hosts scroll as ten do.
 */
export const mapScript = `"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const shapes = { waypoint: "●", direct: "▲", refused: "■", unknown: "◆" };
const words = { waypoint: "through a waypoint", direct: "direct", refused: "refused", unknown: "unknown to the mesh" };
const rowHeight = 24;
const $ = (id) => document.getElementById(id);
const state = { text: "", namespace: "", way: "", host: -1, view: "map" };
const setOf = (place) => new Set(data.sets[place]);
const sets = data.sets.map((_, place) => setOf(place));
const label = (row) => row.host + ":" + row.port;
let shown = [];

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

function fits(row) {
  const place = data.namespaces.indexOf(state.namespace);
  return (state.way === "" || (state.way === "gap" ? sets[row.gap].size + sets[row.unnamed].size > 0 : row.way === state.way)) &&
    (state.text === "" || (label(row) + " " + row.search).toLowerCase().includes(state.text)) &&
    (place < 0 || sets[row.can].has(place) || sets[row.may].has(place) || sets[row.refused].has(place));
}

function list(box, items, text, isPicked, pick, classOf) {
  const inner = element("div");
  inner.style.height = items.length * rowHeight + "px";
  const draw = () => {
    const first = Math.max(0, Math.floor(box.scrollTop / rowHeight) - 4);
    const last = Math.min(items.length, first + Math.ceil(box.clientHeight / rowHeight) + 8);
    const focused = document.activeElement && box.contains(document.activeElement) ? document.activeElement.dataset.place : undefined;
    inner.replaceChildren();
    for (let place = first; place < last; place++) {
      const button = element("button", text(items[place]), classOf(items[place]));
      button.type = "button";
      button.dataset.place = String(place);
      button.title = button.textContent;
      button.style.top = place * rowHeight + "px";
      button.tabIndex = place === Math.max(first, Number(box.dataset.focus || 0)) ? 0 : -1;
      button.setAttribute("aria-pressed", String(isPicked(items[place])));
      button.onclick = () => pick(items[place]);
      inner.append(button);
      if (focused === String(place)) button.focus({ preventScroll: true });
    }
  };
  box.replaceChildren(inner);
  box.onscroll = () => { draw(); edges(); };
  box.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -1e9, End: 1e9 }[event.key];
    if (step === undefined || items.length === 0) return;
    event.preventDefault();
    const now = Number(document.activeElement.dataset.place || 0);
    const next = Math.min(items.length - 1, Math.max(0, now + step));
    box.dataset.focus = String(next);
    const top = next * rowHeight;
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + rowHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + rowHeight - box.clientHeight;
    draw();
    const target = box.querySelector('[data-place="' + next + '"]');
    if (target) target.focus({ preventScroll: true });
  };
  draw();
}

function middle(box, place) { return box.offsetTop + place * rowHeight - box.scrollTop + rowHeight / 2; }

function edge(svg, from, to, y1, y2, way) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const half = (from + to) / 2;
  path.setAttribute("d", "M" + from + " " + y1 + "C" + half + " " + y1 + " " + half + " " + y2 + " " + to + " " + y2);
  path.setAttribute("class", way);
  svg.append(path);
}

function edges() {
  const svg = $("edges");
  svg.replaceChildren();
  const [left, centre, right] = [$("namespaces"), $("waypoints"), $("hosts")];
  const first = Math.floor(right.scrollTop / rowHeight);
  const visible = shown.slice(first, first + Math.ceil(right.clientHeight / rowHeight));
  for (const [offset, row] of visible.entries()) {
    const gate = gates.indexOf(row.waypoint === null ? row.way : row.waypoint);
    edge(svg, centre.offsetLeft + centre.offsetWidth, right.offsetLeft, middle(centre, gate), middle(right, first + offset), row.way);
  }
  const picked = state.host < 0 ? visible : data.rows.filter((row) => row.id === state.host);
  const drawn = new Set();
  for (const row of picked) {
    const gate = gates.indexOf(row.waypoint === null ? row.way : row.waypoint);
    for (const [set, way] of [[row.can, row.way], [row.refused, "refused"]]) {
      for (const place of data.sets[set]) {
        const y = middle(left, place);
        const key = place + " " + gate + " " + way;
        if (y < 0 || y > left.clientHeight || drawn.has(key) || drawn.size > 400) continue;
        drawn.add(key);
        edge(svg, left.offsetLeft + left.offsetWidth, centre.offsetLeft, y, middle(centre, gate), way);
      }
    }
  }
}

const gates = [...new Set(data.rows.map((row) => (row.waypoint === null ? row.way : row.waypoint)))].sort();

function names(set) {
  const all = data.sets[set];
  if (all.length === data.namespaces.length && all.length > 1) return "all " + all.length;
  return all.length === 0 ? "none" : all.slice(0, 200).map((place) => data.namespaces[place]).join(", ") + (all.length > 200 ? " and " + (all.length - 200) + " more" : "");
}

function facts(row) {
  return [["Way", shapes[row.way] + " " + words[row.way]], ["Waypoint", row.waypoint || "–"], ["Protocol", row.protocol || "any"], ["TLS", row.tls],
    ["May", names(row.may)], ["Can", names(row.can)], ["Gap", names(row.gap)], ["Gap of other ServiceAccounts", names(row.unnamed)], ["Refused", names(row.refused)], ["Past the mesh", names(row.past)],
    ["Declared by", row.declaredBy.join(", ")], ["Policy", row.allowedBy.join("; ") || "no list limits it"],
    ["Owner", row.owner || "–"], ["Ticket", row.ticket || "–"], ["Reason", row.reason || "–"], ["Review by", row.reviewBy || "–"], ["Exemptions", row.exemptions.join("; ") || "–"]];
}

function details() {
  const box = $("details");
  const row = data.rows[state.host];
  box.replaceChildren();
  if (row === undefined) { box.append(element("p", "Pick a host to see who may and who can reach it, and by whose word.")); return; }
  box.append(element("h2", label(row), row.way));
  const terms = element("dl");
  for (const [name, text] of facts(row)) terms.append(element("dt", name), element("dd", text));
  box.append(terms);
  box.append(element("h2", "Steps"));
  const steps = element("ol");
  for (const step of row.steps) steps.append(element("li", step));
  box.append(steps);
}

const columns = ["Host", "Way", "Waypoint", "May", "Can", "Gap", "Declared by", "Owner", "Review by"];

function table() {
  const head = element("tr");
  for (const name of columns) head.append(element("th", name));
  head.querySelectorAll("th").forEach((cell) => { cell.scope = "col"; });
  const top = element("thead");
  top.append(head);
  const body = element("tbody");
  for (const row of shown) {
    const line = element("tr");
    for (const text of [label(row), shapes[row.way] + " " + words[row.way], row.waypoint || "–", names(row.may), names(row.can), names(row.gap), row.declaredBy.join(", "), row.owner || "–", row.reviewBy || "–"]) line.append(element("td", text));
    body.append(line);
  }
  const whole = element("table");
  whole.append(top, body);
  $("table").replaceChildren(whole);
}

function draw() {
  shown = data.rows.filter(fits);
  $("map").hidden = state.view !== "map";
  $("table").hidden = state.view !== "table";
  $("count").textContent = shown.length + " of " + data.rows.length + " hosts and ports";
  if (state.view === "table") { table(); details(); return; }
  list($("namespaces"), data.namespaces, (name) => name, (name) => name === state.namespace, (name) => { state.namespace = state.namespace === name ? "" : name; $("namespace").value = state.namespace; draw(); }, () => "");
  list($("waypoints"), gates, (name) => (words[name] ? shapes[name] + " " + words[name] : name), () => false, (name) => { $("search").value = words[name] ? "" : name; state.text = $("search").value.toLowerCase(); state.way = words[name] ? name : ""; $("way").value = state.way; draw(); }, (name) => (words[name] ? name : "waypoint"));
  list($("hosts"), shown, (row) => shapes[row.way] + " " + label(row), (row) => row.id === state.host, (row) => { state.host = state.host === row.id ? -1 : row.id; draw(); }, (row) => row.way);
  edges();
  details();
}

for (const name of data.namespaces) { const option = element("option", name); option.value = name; $("namespace").append(option); }
$("search").oninput = () => { state.text = $("search").value.toLowerCase(); $("hosts").scrollTop = 0; draw(); };
$("namespace").onchange = () => { state.namespace = $("namespace").value; draw(); };
$("way").onchange = () => { state.way = $("way").value; draw(); };
$("view").onclick = () => { state.view = state.view === "map" ? "table" : "map"; $("view").textContent = state.view === "map" ? "Table" : "Map"; draw(); };
document.querySelector("form").onsubmit = (event) => event.preventDefault();
addEventListener("resize", draw);
addEventListener("beforeprint", table);
draw();
`;
