/** Words as YAML has them, and what `kubectl annotate --local -o json` makes of them; a test holds the table to it. */
export const kubectlReadings: readonly (readonly [written: string, read: unknown])[] = [
	["off", false],
	["Yes", true],
	["y", true],
	["N", false],
	["yEs", "yEs"],
	["TRUE", true],
	["0443", 291],
	["0899", 899],
	["08", 8],
	["-012", -10],
	["0o17", 15],
	["0x1F", 31],
	["+0x10", 16],
	["0b11", 3],
	["-0b11", -3],
	["1_000", 1000],
	["+_7", 7],
	["_7", "_7"],
	["0x", "0x"],
	["1e3", 1000],
	[".5", 0.5],
	["0.", 0],
	["1e400", "1e400"],
	["190:20:30", "190:20:30"],
	["2001-01-01", "2001-01-01"],
	["~", null],
	["Null", null],
	["nULL", "nULL"],
	["=", "="],
	["!!str 12", "12"],
	['!!int "3"', 3],
	["!!binary aGk=", "hi"],
	["!foo bar", "bar"],
	["'off'", "off"],
	['"\\x41"', "A"],
	["10.0.0.1", "10.0.0.1"],
	["1.30", 1.3],
	["{on: 1, 0443: 2, 1.5: 3}", { true: 1, 291: 2, 1.5: 3 }],
	["{k: own, <<: {k: merged, z: 1}}", { k: "merged", z: 1 }],
	["{<<: {k: merged, z: 1}, k: own}", { k: "own", z: 1 }],
	["{<<: [{k: first}, {k: second, z: 2}]}", { k: "first", z: 2 }],
	["{k: first, k: last}", { k: "last" }],
	["[&a {k: 1}, *a]", [{ k: 1 }, { k: 1 }]],
	["[&a {k: 1}, {<<: *a, z: 2}]", [{ k: 1 }, { k: 1, z: 2 }]],
];

/** What kubectl refuses to read. */
export const kubectlRefusals: readonly string[] = [
	".nan",
	"-.inf",
	"&s {a: *s}",
	"&s [*s]",
	"*nowhere",
	"{~: 3}",
	"{{a: 1}: 3}",
	"{<<: 3}",
	"[&s [1], {<<: *s}]",
];

const entry = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: b}\n";
const first = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

/** Files of several objects, and which of them kubectl reads. */
export const kubectlObjects: readonly (readonly [what: string, text: string, read: readonly string[]])[] = [
	["two documents", `${first}---\n${entry}`, ["ConfigMap/a", "ServiceEntry/b"]],
	[
		"a byte order mark before both documents",
		`\u{FEFF}${first}---\n\u{FEFF}${entry}`,
		["ConfigMap/a", "ServiceEntry/b"],
	],
	[
		"a byte order mark behind a separator with a comment",
		`${first}--- # next\r\n\u{FEFF}${entry}`,
		["ConfigMap/a", "ServiceEntry/b"],
	],
	[
		"a List",
		`apiVersion: v1\nkind: List\nitems: [{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: b}}]\n`,
		["ServiceEntry/b"],
	],
	[
		"a list of another kind",
		`apiVersion: v1\nkind: list\nitems: [{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: b}}]\n`,
		["ServiceEntry/b"],
	],
	[
		"a list whose items have no kind",
		`apiVersion: networking.istio.io/v1\nkind: ServiceEntryList\nitems: [{metadata: {name: b}}, {metadata: {name: c}}]\n`,
		["ServiceEntry/b", "ServiceEntry/c"],
	],
	["an empty list", "apiVersion: v1\nkind: List\nitems: []\n", []],
];

/** Files of which kubectl refuses an object. */
export const kubectlRefusedObjects: readonly (readonly [what: string, text: string])[] = [
	["an item without a kind in a List", "apiVersion: v1\nkind: List\nitems: [{metadata: {name: b}}]\n"],
	["a separator with an object behind it", `${first}--- {kind: ConfigMap}\n`],
];

/** A ConfigMap with one field of one's own. */
export function configMapWith(written: string): string {
	return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nvalue: ${written}\n`;
}
