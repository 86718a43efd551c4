import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";

/** A flag: the words that it takes, and what else stands behind it; nothing stands behind a flag without a value. */
export interface CompletableFlag {
	readonly flag: string;
	readonly words: readonly string[];
	readonly value: "nothing" | "text" | "file";
}

/** What can stand behind a verb, or behind a verb and its subject, as the usage says it. */
export interface Completable {
	/** As it is written: `lint`, `export network-policies`. */
	readonly verb: string;
	readonly summary: string;
	readonly flags: readonly CompletableFlag[];
	/** The words that may stand behind it, such as the subjects of a verb; none: files. */
	readonly words: readonly string[];
}

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

/** `waymark completion`: a script by which a shell completes these verbs, their subjects, flags and the words of those. */
export function completionOf(verbs: ReadonlyMap<string, () => Promise<Verb>>): Verb {
	return {
		summary: "Print a script by which bash, zsh or fish completes this command",
		usage: `Usage: waymark completion bash|zsh|fish

  bash   source <(waymark completion bash)
  zsh    waymark completion zsh > "\${fpath[1]}/_waymark"
  fish   waymark completion fish > ~/.config/fish/completions/waymark.fish

Exit: 0, 64 usage`,
		words: async () => shells,
		async run(argv, streams) {
			const shell = shells.find((each) => each === argv[0]);
			if (shell === undefined || argv.length !== 1) {
				throw new UsageError(`completion needs one of ${shells.join(", ")}`);
			}
			const known = await Promise.all(
				[...verbs].map(async ([verb, load]) => completables(verb, await load())),
			);
			streams.out(scripts[shell](known.flat()));
			return exitCodes.clean;
		},
	};
}

/** What is completed behind a verb, and behind each of its subjects. */
export async function completables(name: string, verb: Verb): Promise<readonly Completable[]> {
	const words = (await verb.words?.()) ?? [];
	const parts: Completable[] = [];
	for (const word of words) {
		const part = await verb.part?.(word);
		if (part !== undefined) {
			parts.push(...(await completables(`${name} ${word}`, part)));
		}
	}
	return [{ verb: name, summary: verb.summary, flags: readUsage(verb.usage), words }, ...parts];
}

/** Reads a usage: the flags that it names, and what stands behind each. */
export function readUsage(usage: string): readonly CompletableFlag[] {
	const found = new Map<string, CompletableFlag>([
		["--help", { flag: "--help", words: [], value: "nothing" }],
	]);
	// Other programs have flags of their own.
	const own = usage.replaceAll(/^kubectl .*$/gm, "");
	for (const [, flag = "", behind = ""] of own.matchAll(
		/(--[a-z][a-z-]*)(?:, -[a-zA-Z])?(?:[ =]([A-Za-z0-9][^\s\])]*))?/g,
	)) {
		const known = found.get(flag);
		const words = behind
			.split("|")
			.filter((word) => /^[a-z0-9][a-z0-9=.-]*$/.test(word) && behind.includes("|"));
		const key = words[0]?.match(/^[a-z]+=/)?.[0] ?? "";
		const value = /(?:FILE|DIR|\.json)/.test(behind)
			? "file"
			: words.length > 0 || /^(?:[A-Z]{2}|[A-Z]\.|\d\.)/.test(behind)
				? "text"
				: "nothing";
		found.set(flag, {
			flag,
			words:
				words.length > 0
					? words.map((word) => (word.includes("=") ? word : key + word))
					: (known?.words ?? []),
			value: value === "nothing" ? (known?.value ?? value) : value,
		});
	}
	for (const [, flag = "", list = ""] of own.matchAll(/^ {2}(--[a-z-]+) +one of ([a-z-]+(?:, [a-z-]+)+)/gm)) {
		found.set(flag, { flag, words: list.split(", "), value: "text" });
	}
	return [...found.values()];
}

const scripts: Readonly<Record<Shell, (known: readonly Completable[]) => string>> = { bash, zsh, fish };

/** The names of verbs, without their subjects. */
function verbsOf(known: readonly Completable[]): readonly Completable[] {
	return known.filter(({ verb }) => !verb.includes(" "));
}

function bash(known: readonly Completable[]): string {
	const cases = known.map(
		({ verb, flags, words }) =>
			`\t\t"${verb}") flags="${flags.map(({ flag }) => flag).join(" ")}" subjects="${words.join(" ")}" ;;`,
	);
	const values = known.flatMap(({ verb, flags }) =>
		flags
			.filter(({ value }) => value !== "nothing")
			.map(({ flag, words, value }) => `\t\t"${verb} ${flag}") words="${words.join(" ")}" value=${value} ;;`),
	);
	const subjects = known.filter(({ verb }) => verb.includes(" ")).map(({ verb }) => `"${verb}"`);
	return `# bash completion of waymark: source <(waymark completion bash)
_waymark() {
	local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" verb="\${COMP_WORDS[1]}"
	local flags="" subjects="" words="" value="" first=2
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "${verbsOf(known)
			.map(({ verb }) => verb)
			.join(" ")} --help --version" -- "$current"))
		return
	fi
	case "$verb \${COMP_WORDS[2]}" in
		${subjects.join(" | ")}) [ "$COMP_CWORD" -gt 2 ] && verb="$verb \${COMP_WORDS[2]}" && first=3 ;;
	esac
	case "$verb $before" in
${values.join("\n")}
	esac
	if [ -n "$value" ]; then
		[ -n "$words" ] && COMPREPLY=($(compgen -W "$words" -- "$current"))
		[ "$value" = file ] && [ -n "$words" ] && COMPREPLY+=($(compgen -f -- "$current"))
		[ "$value" = text ] && compopt +o default +o bashdefault 2>/dev/null
		return
	fi
	case "$verb" in
${cases.join("\n")}
	esac
	case "$current" in
		-*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
		*) [ -n "$subjects" ] && [ "$COMP_CWORD" -eq "$first" ] && COMPREPLY=($(compgen -W "$subjects" -- "$current")) ;;
	esac
}
complete -o bashdefault -o default -F _waymark waymark
`;
}

function zsh(known: readonly Completable[]): string {
	const verbs = verbsOf(known).map(({ verb, summary }) => `\t\t'${verb}:${quoted(summary)}'`);
	const cases = known.map(({ verb, flags, words }) => {
		const specs = flags.map(({ flag, words: some, value }) => {
			const list = some.join(" ");
			const offered = some.length === 0 ? " " : `(${list})`;
			const offeredOrFile = some.length === 0 ? "_files" : `{compadd -- ${list}; _files}`;
			return value === "nothing"
				? `'*${flag}'`
				: `'*${flag}:value:${value === "file" ? offeredOrFile : offered}'`;
		});
		const rest = words.length === 0 ? "'*:file:_files'" : `'1:subject:(${words.join(" ")})' '*:file:_files'`;
		return `\t\t"${verb}") _arguments ${specs.join(" ")} ${rest} ;;`;
	});
	const subjects = known.filter(({ verb }) => verb.includes(" ")).map(({ verb }) => `"${verb}"`);
	return `#compdef waymark
# zsh completion of waymark: waymark completion zsh > "\${fpath[1]}/_waymark"
_waymark() {
	local -a verbs
	verbs=(
${verbs.join("\n")}
	)
	if (( CURRENT == 2 )); then
		_describe 'verb' verbs
		return
	fi
	local verb="\${words[2]}"
	shift words
	(( CURRENT-- ))
	case "$verb \${words[2]}" in
		${subjects.join(" | ")})
			if (( CURRENT > 2 )); then
				verb="$verb \${words[2]}"
				shift words
				(( CURRENT-- ))
			fi ;;
	esac
	case "$verb" in
${cases.join("\n")}
	esac
}
if [ "$funcstack[1]" = "_waymark" ]; then
	_waymark "$@"
else
	compdef _waymark waymark
fi
`;
}

/** A text inside single quotes of a shell, in which a colon separates. */
function quoted(text: string): string {
	return text.replaceAll("'", "'\\''").replaceAll(":", "\\:");
}

function fish(known: readonly Completable[]): string {
	const lines = known.flatMap(({ verb, summary, flags, words }) => {
		const [name = "", subject] = verb.split(" ");
		const condition =
			subject === undefined
				? words.some((word) => known.some((other) => other.verb === `${verb} ${word}`))
					? `__fish_seen_subcommand_from ${name}; and not __fish_seen_subcommand_from ${words.join(" ")}`
					: `__fish_seen_subcommand_from ${name}`
				: `__fish_seen_subcommand_from ${name}; and __fish_seen_subcommand_from ${subject}`;
		return [
			...(subject === undefined
				? [
						`complete -c waymark -n __fish_use_subcommand -a ${verb} -d '${summary.replaceAll("'", "\\'")}'`,
						...(words.length === 0
							? []
							: [
									`complete -c waymark -f -n '__fish_seen_subcommand_from ${name}; and not __fish_seen_subcommand_from ${words.join(" ")}' -a '${words.join(" ")}'`,
								]),
					]
				: []),
			...flags.map(({ flag, words: some, value }) => {
				const given = value === "nothing" ? "" : value === "file" ? " -r" : " -x";
				const offered = some.length === 0 ? "" : ` -a '${some.join(" ")}'`;
				return `complete -c waymark -n '${condition}' -l ${flag.slice(2)}${given}${offered}`;
			}),
		];
	});
	return `# fish completion of waymark: waymark completion fish > ~/.config/fish/completions/waymark.fish\n${lines.join("\n")}\n`;
}
