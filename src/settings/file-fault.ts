const words: ReadonlyMap<string, string> = new Map([
	["ENOENT", "no such file or directory"],
	["EISDIR", "is a directory"],
	["EACCES", "permission denied"],
	["ENOTDIR", "a part of the path is no directory"],
	["ELOOP", "its links lead round in a circle"],
]);

/** What the operating system has against reading or writing a file, in words (errno.h); else the error's own message. */
export function fileFault(error: unknown): string {
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	return words.get(code) ?? (error instanceof Error ? error.message : String(error));
}
