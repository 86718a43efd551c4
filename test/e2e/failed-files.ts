import type { TestEvent } from "node:test/reporters";

/** A reporter for `node --test` that gives the files with a failing test, one a line. */
async function* failedFiles(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
	const seen = new Set<string>();
	for await (const event of events) {
		if (event.type === "test:fail" && event.data.file !== undefined && !seen.has(event.data.file)) {
			seen.add(event.data.file);
			yield `${event.data.file}\n`;
		}
	}
}

// biome-ignore lint/style/noDefaultExport: node --test takes the default export of a reporter
export default failedFiles;
