import { fieldsOf, textOf } from "./fields.ts";
import type { HeldMigration } from "./hold-back.ts";
import type { InputObject, Stage } from "./input-object.ts";
import { titleOf } from "./input-object.ts";
import type { LedgerEntry, Outcome } from "./ledger.ts";
import type { ConvertedBundle, Migration } from "./migrate.ts";

/** How many fields were carried, implied and not carried. */
export function countOutcomes(ledger: readonly LedgerEntry[]): Readonly<Record<Outcome, number>> {
	const count = (outcome: Outcome): number => ledger.filter((entry) => entry.outcome === outcome).length;
	return { carried: count("carried"), implied: count("implied"), "not carried": count("not carried") };
}

/** A name that a user chose, as code in Markdown: no backtick and no new line can leave it. */
function code(text: string): string {
	return `\`${text.replaceAll(/[`\p{Cc}\p{Zl}\p{Zp}]/gu, " ").replaceAll("|", "\\|")}\``;
}

/** A label in a Mermaid picture. */
function label(text: string): string {
	return `"${text.replaceAll(/[^\p{L}\p{N} .,:*/_-]/gu, " ")}"`;
}

/** REPORT.md: for each way out, what it was, what it became, what was lost, how to check and how to go back. */
export function renderReport(migration: HeldMigration): string {
	const { bundles, untouched, withheld } = migration;
	const total = countOutcomes(bundles.flatMap((each) => each.ledger));
	return [
		"# Migration from sidecar-style egress to ambient",
		"",
		bundles.length === 0
			? "No sidecar-style egress was found in the input."
			: `${bundles.length} way${bundles.length === 1 ? "" : "s"} out found. Of their fields ${total.carried} are carried over, ${total.implied} are not needed any more, ${total["not carried"]} could not be carried.`,
		"",
		...(bundles.length === 0 ? [] : steps(migration)),
		...withheld.flatMap(({ title, reasons }) => [
			`> **Held back:** ${code(title)} was not written, since it would be refused: ${reasons.join("; ")}`,
			"",
		]),
		...bundles.flatMap((bundle, index) => section(bundle, index + 1)),
		...(untouched.length === 0
			? []
			: [
					"## Left alone",
					"",
					"These objects take no part in sidecar-style egress:",
					"",
					...untouched.map((input) => `- ${code(titleOf(input))} (${code(`${input.file}:${input.line}`)})`),
					"",
				]),
	].join("\n");
}

function steps({ bundles, outputs }: Migration): readonly string[] {
	const has = (stage: Stage): boolean => outputs.some((output) => output.stage === stage);
	const move =
		"label the clients' namespaces `istio.io/dataplane-mode=ambient`, remove the sidecar injection and restart the pods";
	const steering = [...new Set(bundles.flatMap((bundle) => bundle.steering))];
	return [
		"## Order",
		"",
		has("1-add")
			? "1. `kubectl apply -f 1-add/` at any time: clients with sidecars notice nothing. Wait until every waypoint has an address and every ServiceEntry says `WaypointBound=True`."
			: "1. There is nothing to add beforehand: see that the waypoint has an address.",
		has("2-switch")
			? `2. In one window: \`kubectl apply -f 2-switch/\`, then ${move}. Clients that still have a sidecar see \`2-switch/\` too.`
			: `2. In one window: ${move}.`,
		...(steering.length === 0
			? []
			: [
					"   Delete in the same window what led the sidecars to the gateway: a waypoint obeys these routes as sidecars do, and would send its traffic to the gateway.",
					"",
					"   ```sh",
					...steering.map(
						(input) =>
							`   kubectl delete ${resourceOf(input)} -n ${shell(input.namespace)} ${shell(input.name)}`,
					),
					"   ```",
					"",
				]),
		"3. When the gateway's access log is silent, `kubectl delete -f 3-remove/ --ignore-not-found`.",
		"",
		"**Back:** label the namespaces back, `kubectl delete -f 2-switch/ --ignore-not-found`, `kubectl apply -f 3-remove/`, and apply the old ServiceEntries and DestinationRules from your repository.",
		"",
	];
}

/** The resource of a route as kubectl wants it, with its group: two groups have a Gateway. */
function resourceOf({ title, object }: InputObject): string {
	const group = (textOf(object.apiVersion) ?? "").split("/")[0] ?? "";
	return `${title.toLowerCase()}.${shell(group)}`;
}

/** A name that a user chose, in a command: nothing but what names have. */
function shell(text: string): string {
	return text.replaceAll(/[^A-Za-z0-9.-]/g, "_");
}

function section(converted: ConvertedBundle, number: number): readonly string[] {
	const { bundle, entries, outputs, removals, ledger, notes } = converted;
	const counts = countOutcomes(ledger);
	const lost = ledger.filter((entry) => entry.outcome === "not carried");
	const title = bundle.hosts.length === 0 ? "no host found" : bundle.hosts.slice(0, 4).map(code).join(", ");
	const more = bundle.hosts.length > 4 ? ` and ${bundle.hosts.length - 4} more` : "";
	return [
		`## ${number}. ${title}${more}`,
		"",
		...pictures(converted),
		`${counts.carried} fields carried, ${counts.implied} implied, ${counts["not carried"]} not carried.`,
		"",
		...list("### To know and to do", notes),
		...list(
			"### Written",
			outputs.map((output) => {
				const { namespace, name } = fieldsOf(output.object.metadata);
				return `\`${output.stage}\` ${code(`${String(output.object.kind)} ${textOf(namespace) ?? ""}/${textOf(name) ?? ""}`)}: ${output.purpose}`;
			}),
		),
		...list(
			"### To delete at the end",
			removals.map((input) => `${code(titleOf(input))} (${code(`${input.file}:${input.line}`)})`),
		),
		...table("### Not carried", lost),
		"<details><summary>What every field became</summary>",
		"",
		...table("", ledger),
		"</details>",
		"",
		...checks(entries),
	];
}

function pictures({ bundle, entries }: ConvertedBundle): readonly string[] {
	const hosts = label(bundle.hosts.slice(0, 3).join(", ") || "external host");
	const gateways = bundle.participants.filter(({ role }) => role === "gateway" || role === "asm");
	const gateway = label(
		gateways
			.map(({ input }) => titleOf(input))
			.slice(0, 2)
			.join(", ") || "egress gateway",
	);
	const waypoints = [...new Set(entries.map(({ waypoint }) => `${waypoint.namespace}/${waypoint.name}`))];
	const waypoint = label(`waypoint ${waypoints.join(", ") || "none"}`);
	return [
		"Before:",
		"",
		"```mermaid",
		"flowchart LR",
		`  client["client with sidecar"] -->|VirtualService| gateway[${gateway}] -->|VirtualService| host(${hosts})`,
		"```",
		"",
		"After:",
		"",
		"```mermaid",
		"flowchart LR",
		`  client["client"] --> ztunnel -->|HBONE| waypoint[${waypoint}] -->|ServiceEntry| host(${hosts})`,
		"```",
		"",
	];
}

function list(title: string, lines: readonly string[]): readonly string[] {
	return lines.length === 0 ? [] : [title, "", ...lines.map((line) => `- ${line}`), ""];
}

function table(title: string, entries: readonly LedgerEntry[]): readonly string[] {
	if (entries.length === 0) {
		return [];
	}
	return [
		...(title === "" ? [] : [title, ""]),
		"| object | field | fate | why, or where to |",
		"| --- | --- | --- | --- |",
		...entries.map(
			({ input, path, outcome, note }) =>
				`| ${code(titleOf(input))} | ${code(path)} | ${outcome} | ${note.replaceAll("|", "\\|")} |`,
		),
		"",
	];
}

function checks(entries: ConvertedBundle["entries"]): readonly string[] {
	const lines = entries.flatMap(({ namespace, name, hosts }) => [
		`\`kubectl get serviceentry -n ${shell(namespace)} ${shell(name)} -o jsonpath='{.status.conditions}'\` says \`WaypointBound\` \`True\``,
		...hosts
			.filter((host) => !host.startsWith("*"))
			.map(
				(host) =>
					`\`waymark trace ${shell(host)} --from ${shell(namespace)} --cluster\` ends with the waypoint; \`istioctl ztunnel-config service\` shows ${code(host)} with an address`,
			),
	]);
	return list("### To check", lines);
}

/** Where an object of the input stands, for programs. */
export function nameForPrograms(input: InputObject): {
	readonly kind: string;
	readonly namespace: string;
	readonly name: string;
	readonly file: string;
	readonly line: number;
} {
	const { title, namespace, name, file, line } = input;
	return { kind: title, namespace, name, file, line };
}
