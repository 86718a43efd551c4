/**
 * A text in lines that fit a terminal: words go to the next line whole, and one that is longer than a line stands alone.
 * @param width columns of the terminal; undefined where there is none, and the text stays one line
 * @param indent what each line begins with
 * @param hanging what the lines after the first begin with instead
 */
export function wrapped(
	text: string,
	width: number | undefined,
	indent = "",
	hanging: string = indent,
): readonly string[] {
	if (width === undefined) {
		return [`${indent}${text}`];
	}
	const lines: string[] = [];
	let start = indent;
	let line = "";
	for (const word of text.split(" ")) {
		if (line !== "" && start.length + columnsOf(line) + 1 + columnsOf(word) > width) {
			lines.push(start + line);
			start = hanging;
			line = word;
		} else {
			line = line === "" ? word : `${line} ${word}`;
		}
	}
	return [...lines, start + line];
}

/** The columns that a text takes, where every character takes one. */
function columnsOf(text: string): number {
	return [...text].length;
}
