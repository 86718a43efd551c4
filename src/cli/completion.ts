import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";

/** What can stand behind a verb, as its usage says it. */
export interface Completable {
	readonly verb: string;
	readonly summary: string;
	/** Each flag, with the words that it takes; none: a file or a text of one's own. */
	readonly flags: readonly { readonly flag: string; readonly words: readonly string[] }[];
}

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

/** `waymark completion`: a script by which a shell completes these verbs, their flags and the words of those. */
export function completionOf(verbs: ReadonlyMap<string, () => Promise<Verb>>): Verb {
	return {
		summary: "Print a script by which bash, zsh or fish completes this command",
		usage: `Usage: waymark completion bash|zsh|fish

  bash   source <(waymark completion bash)
  zsh    waymark completion zsh > "\${fpath[1]}/_waymark"
  fish   waymark completion fish > ~/.config/fish/completions/waymark.fish

Exit: 0, 64 usage`,
		async run(argv, streams) {
			const shell = shells.find((each) => each === argv[0]);
			if (shell === undefined || argv.length !== 1) {
				throw new UsageError(`completion needs one of ${shells.join(", ")}`);
			}
			const known = await Promise.all([...verbs].map(async ([verb, load]) => readUsage(verb, await load())));
			streams.out(scripts[shell](known));
			return exitCodes.clean;
		},
	};
}

/** Reads a verb's usage: the flags that it names, and the words that stand behind one, separated by bars. */
export function readUsage(verb: string, { summary, usage }: Pick<Verb, "summary" | "usage">): Completable {
	const found = new Map<string, readonly string[]>([["--help", []]]);
	for (const [, flag = "", words = ""] of usage.matchAll(
		/(--[a-z][a-z-]*)(?:[ =]([a-z]+(?:\|[a-z-]+)+))?/g,
	)) {
		const list = words === "" ? (found.get(flag) ?? []) : words.split("|");
		found.set(flag, list);
	}
	return { verb, summary, flags: [...found].map(([flag, words]) => ({ flag, words })) };
}

const scripts: Readonly<Record<Shell, (known: readonly Completable[]) => string>> = { bash, zsh, fish };

function bash(known: readonly Completable[]): string {
	const verbs = known.map(({ verb }) => verb).join(" ");
	const cases = known.map(
		({ verb, flags }) => `\t\t${verb}) flags="${flags.map(({ flag }) => flag).join(" ")}" ;;`,
	);
	const words = known.flatMap(({ verb, flags }) =>
		flags
			.filter((each) => each.words.length > 0)
			.map((each) => `\t\t"${verb} ${each.flag}") words="${each.words.join(" ")}" ;;`),
	);
	return `# bash completion of waymark: source <(waymark completion bash)
_waymark() {
	local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" verb="\${COMP_WORDS[1]}" flags="" words=""
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "${verbs} --help --version" -- "$current"))
		return
	fi
	case "$verb $before" in
${words.join("\n")}
	esac
	if [ -n "$words" ]; then
		COMPREPLY=($(compgen -W "$words" -- "$current"))
		return
	fi
	case "$verb" in
${cases.join("\n")}
	esac
	case "$current" in
		-*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
	esac
}
complete -o bashdefault -o default -F _waymark waymark
`;
}

function zsh(known: readonly Completable[]): string {
	const verbs = known.map(({ verb, summary }) => `\t\t'${verb}:${quoted(summary)}'`);
	const cases = known.map(({ verb, flags }) => {
		const specs = flags.map(
			({ flag, words }) => `'${flag}${words.length === 0 ? "" : `:word:(${words.join(" ")})`}'`,
		);
		return `\t\t${verb}) _arguments ${specs.join(" ")} '*:file:_files' ;;`;
	});
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
	case "$verb" in
${cases.join("\n")}
	esac
}
_waymark "$@"
`;
}

/** A text inside single quotes of a shell, in which a colon separates. */
function quoted(text: string): string {
	return text.replaceAll("'", "'\\''").replaceAll(":", "\\:");
}

function fish(known: readonly Completable[]): string {
	const lines = known.flatMap(({ verb, summary, flags }) => [
		`complete -c waymark -n __fish_use_subcommand -a ${verb} -d '${summary.replaceAll("'", "\\'")}'`,
		...flags.map(({ flag, words }) => {
			const given = words.length === 0 ? "" : ` -x -a '${words.join(" ")}'`;
			return `complete -c waymark -n '__fish_seen_subcommand_from ${verb}' -l ${flag.slice(2)}${given}`;
		}),
	]);
	return `# fish completion of waymark: waymark completion fish > ~/.config/fish/completions/waymark.fish\n${lines.join("\n")}\n`;
}
