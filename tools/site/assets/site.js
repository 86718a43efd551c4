// What a reader can do with a page; without scripts all of it can still be read.

const root = document.body.dataset.root;
const byId = (id) => document.getElementById(id);

/** An element with a class and text; text is never read as HTML. */
function element(tag, className, text = "") {
	const made = document.createElement(tag);
	made.className = className;
	made.textContent = text;
	return made;
}

function offerTheme() {
	const button = byId("theme");
	const html = document.documentElement;
	const system = matchMedia("(prefers-color-scheme: dark)");
	const isDark = () => (html.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
	button.hidden = false;
	button.addEventListener("click", () => {
		html.dataset.theme = isDark() ? "light" : "dark";
		try {
			localStorage.setItem("waymark-theme", html.dataset.theme);
		} catch {
			// Then it holds for this page.
		}
	});
}

function offerMenu() {
	const button = byId("menu");
	button.hidden = false;
	button.addEventListener("click", () => {
		const isOpen = document.body.classList.toggle("menu-open");
		button.setAttribute("aria-expanded", String(isOpen));
	});
	const contents = byId("contents");
	const current = contents.querySelector("[aria-current]");
	if (current !== null && current.offsetTop > contents.clientHeight - 60) {
		contents.scrollTop = current.offsetTop - contents.clientHeight / 3;
	}
}

/** Copies by the clipboard, or by a selection where a page has come over plain HTTP and has none. */
async function copy(text, pre) {
	if (navigator.clipboard !== undefined) {
		await navigator.clipboard.writeText(text);
		return true;
	}
	getSelection().selectAllChildren(pre.querySelector("code") ?? pre);
	return document.execCommand("copy");
}

function offerCopies() {
	for (const pre of document.querySelectorAll("main pre")) {
		const box = element("div", "example");
		const button = element("button", "copy", "Copy");
		button.type = "button";
		button.addEventListener("click", async () => {
			const isCopied = await copy(pre.textContent.trimEnd(), pre).catch(() => false);
			button.textContent = isCopied ? "Copied" : "Press Ctrl+C";
			setTimeout(() => {
				button.textContent = "Copy";
			}, 1500);
		});
		pre.replaceWith(box);
		box.append(pre, button);
	}
}

/** Loads a script beside this one, once. */
const loaded = new Map();
function load(name) {
	if (!loaded.has(name)) {
		loaded.set(
			name,
			new Promise((resolve, reject) => {
				const script = document.createElement("script");
				script.src = `${root}assets/${name}`;
				script.onload = resolve;
				script.onerror = reject;
				document.head.append(script);
			}),
		);
	}
	return loaded.get(name);
}

let index;
async function searcher() {
	await Promise.all([load("minisearch.js"), load("search-parts.js")]);
	if (index === undefined) {
		index = new globalThis.MiniSearch({
			fields: ["heading", "page", "text"],
			storeFields: ["url", "page", "heading", "text"],
			searchOptions: {
				boost: { heading: 3, page: 2 },
				prefix: true,
				fuzzy: 0.15,
				combineWith: "AND",
				// What was changed or decided once is seldom what one looks for.
				boostDocument: (_id, _term, { url }) => (/^(?:changelog|decisions)/.test(url) ? 0.2 : 1),
			},
		});
		index.addAll(globalThis.searchParts);
	}
	return index;
}

/** The text around the first word that was found, with every such word marked. */
function excerpt(text, terms) {
	const words = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
	const pattern = new RegExp(`(${words.join("|")})`, "gi");
	const first = Math.max(0, text.search(pattern));
	const from = first < 70 ? 0 : text.indexOf(" ", first - 60) + 1;
	const shown = element("span", "excerpt", from > 0 ? "… " : "");
	for (const [place, piece] of text
		.slice(from, from + 170)
		.split(pattern)
		.entries()) {
		shown.append(place % 2 === 1 ? element("mark", "", piece) : piece);
	}
	return shown;
}

function offerSearch() {
	const box = byId("search");
	const input = box.querySelector("input");
	const found = byId("found");
	let active = -1;
	box.hidden = false;

	const close = () => {
		found.hidden = true;
		input.setAttribute("aria-expanded", "false");
		input.removeAttribute("aria-activedescendant");
		active = -1;
	};
	const move = (step) => {
		const all = [...found.querySelectorAll("a")];
		if (all.length === 0) {
			return;
		}
		all[active]?.setAttribute("aria-selected", "false");
		active = (active + step + all.length) % all.length;
		all[active].setAttribute("aria-selected", "true");
		all[active].scrollIntoView({ block: "nearest" });
		input.setAttribute("aria-activedescendant", all[active].id);
	};
	const show = async () => {
		const asked = input.value.trim().slice(0, 200);
		if (asked === "") {
			close();
			return;
		}
		const pages = await searcher();
		const exact = pages.search(asked);
		const results = (exact.length > 0 ? exact : pages.search(asked, { combineWith: "OR" })).slice(0, 12);
		if (input.value.trim().slice(0, 200) !== asked) {
			return;
		}
		found.replaceChildren(
			...results.map(({ url, page, heading, text, terms }, place) => {
				const link = element("a", "");
				link.href = root + url;
				link.id = `found-${place}`;
				link.setAttribute("role", "option");
				link.setAttribute("aria-selected", "false");
				link.append(
					element("strong", "", heading),
					element("span", "page", heading === page ? "" : page),
					excerpt(text, terms),
				);
				return link;
			}),
		);
		if (results.length === 0) {
			found.append(element("p", "", `Nothing has ${asked}`));
		}
		found.hidden = false;
		input.setAttribute("aria-expanded", "true");
		active = -1;
		move(1);
	};

	input.addEventListener("focus", () => searcher().catch(() => {}), { once: true });
	input.addEventListener("input", show);
	input.addEventListener("keydown", (event) => {
		if (event.key === "ArrowDown" || event.key === "ArrowUp") {
			event.preventDefault();
			move(event.key === "ArrowDown" ? 1 : -1);
		} else if (event.key === "Enter") {
			found.querySelectorAll("a")[Math.max(0, active)]?.click();
		} else if (event.key === "Escape") {
			close();
			input.blur();
		}
	});
	found.addEventListener("click", close);
	document.addEventListener("click", (event) => {
		if (!box.contains(event.target)) {
			close();
		}
	});
	document.addEventListener("keydown", (event) => {
		const isTyping =
			event.target instanceof HTMLElement && /^(?:INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
		if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
			event.preventDefault();
			input.focus();
		}
	});
}

/** Choices above the rules: by family, by severity, by a word. */
function offerRuleFilter() {
	const main = document.querySelector("main.rules");
	if (main === null) {
		return;
	}
	const groups = [...main.querySelectorAll(".table")].map((table) => ({
		table,
		heading: table.previousElementSibling,
		rows: [...table.querySelectorAll("tbody tr")],
	}));
	const select = (label, choices) => {
		const made = element("select", "");
		made.setAttribute("aria-label", label);
		made.append(
			...[`Every ${label}`, ...choices].map((choice, place) => {
				const option = element("option", "", choice);
				option.value = place === 0 ? "" : choice;
				return option;
			}),
		);
		return made;
	};
	const family = select(
		"family",
		groups.map(({ heading }) => heading.id),
	);
	const severity = select("severity", ["error", "warning"]);
	const word = element("input", "");
	word.type = "search";
	word.placeholder = "Filter the rules";
	word.setAttribute("aria-label", "Filter the rules");
	const count = element("output", "");
	const choose = () => {
		let shown = 0;
		for (const { table, heading, rows } of groups) {
			let left = 0;
			for (const row of rows) {
				const isShown =
					(family.value === "" || family.value === heading.id) &&
					(severity.value === "" || row.cells[1].textContent === severity.value) &&
					row.textContent.toLowerCase().includes(word.value.trim().toLowerCase());
				row.hidden = !isShown;
				left += isShown ? 1 : 0;
			}
			table.hidden = left === 0;
			heading.hidden = left === 0;
			shown += left;
		}
		count.textContent = `${shown} of ${groups.flatMap(({ rows }) => rows).length}`;
	};
	for (const control of [family, severity, word]) {
		control.addEventListener("input", choose);
	}
	const bar = element("form", "filter");
	bar.addEventListener("submit", (event) => event.preventDefault());
	bar.append(word, family, severity, count);
	groups[0]?.heading.before(bar);
	choose();
}

offerTheme();
offerMenu();
offerCopies();
offerSearch();
offerRuleFilter();
