import type { JudgedObject, LintFinding, LintResult, Remark } from "../report.ts";
import { objectTitle, printable } from "../report.ts";

/** What the report says about the run itself. */
export interface JunitRun {
	readonly strict: boolean;
	readonly now: Date;
	readonly seconds: number;
}

/**
 * JUnit XML: a suite for each file, a test for each object. The order and the attributes are those of the strictest
 * schema in use (windyroad JUnit.xsd), which the lenient ones accept too.
 */
export function formatJunit({ judged, report }: LintResult, run: JunitRun): string {
	const files = Map.groupBy(judged, ({ file }) => file);
	for (const { file } of [...report.unreadable, ...report.notes]) {
		if (!files.has(file)) {
			files.set(file, []);
		}
	}
	const suites = [...files].map(([file, objects], index) =>
		suite(
			file,
			index,
			objects,
			report.unreadable.filter((each) => each.file === file),
			report.notes.filter((each) => each.file === file),
			run,
		),
	);
	return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join("")}</testsuites>\n`;
}

function suite(
	file: string,
	id: number,
	objects: readonly JudgedObject[],
	unreadable: readonly Remark[],
	notes: readonly Remark[],
	run: JunitRun,
): string {
	const failures = objects.filter(({ findings }) => findings.some((each) => fails(each, run)));
	const attributes = [
		`name="${escapeXml(file)}"`,
		`timestamp="${run.now.toISOString().slice(0, 19)}"`,
		'hostname="localhost"',
		`tests="${objects.length + unreadable.length}"`,
		`failures="${failures.length}"`,
		`errors="${unreadable.length}"`,
		`time="${run.seconds.toFixed(3)}"`,
		`id="${id}"`,
		'package="waymark"',
	];
	const tests = [
		...objects.map((object) => testCase(object, run)),
		...unreadable.map(
			({ line, message }) =>
				`    <testcase classname="${escapeXml(file)}" name="line ${line}" time="0">\n` +
				`      <error message="${escapeXml(message)}" type="unreadable"/>\n    </testcase>\n`,
		),
	];
	const told = objects.flatMap(({ findings }) => findings.filter((each) => !fails(each, run)));
	return [
		`  <testsuite ${attributes.join(" ")}>\n    <properties/>\n`,
		...tests,
		`    <system-out>${escapeXml([...told.map(line), ...notes.map(note)].join("\n"))}</system-out>\n`,
		"    <system-err/>\n  </testsuite>\n",
	].join("");
}

function testCase({ file, object, findings }: JudgedObject, run: JunitRun): string {
	const head = `    <testcase classname="${escapeXml(file)}" name="${escapeXml(objectTitle(object))}" time="0"`;
	const failing = findings.filter((each) => fails(each, run));
	const [first] = failing;
	if (first === undefined) {
		return `${head}/>\n`;
	}
	const more = failing.length === 1 ? "" : ` (and ${failing.length - 1} more)`;
	return (
		`${head}>\n      <failure message="${escapeXml(`${first.path}: ${first.message}${more}`)}" type="${escapeXml(first.rule)}">` +
		`${escapeXml(failing.map(line).join("\n"))}</failure>\n    </testcase>\n`
	);
}

function fails({ severity }: LintFinding, { strict }: JunitRun): boolean {
	return severity === "error" || (strict && severity === "warning");
}

function line({ file, line, column, severity, rule, path, message, hint }: LintFinding): string {
	return `${printable(file)}:${line}:${column} ${severity} ${rule} ${path}: ${message}${hint === null ? "" : `. ${hint}`}`;
}

function note({ file, line, message }: Remark): string {
	return `${printable(file)}:${line} note ${message}`;
}

// XML 1.0 has no way to write most control characters, so they are replaced.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 forbids
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu;

function escapeXml(text: string): string {
	return text
		.replace(forbidden, "\u{FFFD}")
		.replaceAll("&", "&amp;")
		.replaceAll("<", "&lt;")
		.replaceAll(">", "&gt;")
		.replaceAll('"', "&quot;")
		.replaceAll("\n", "&#10;");
}
