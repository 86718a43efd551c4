import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { ListedExemption } from "../audit/exemptions.ts";
import { listExemptions } from "../audit/exemptions.ts";
import { annotationPrefix, exemptionPrefix, isDay, readNamespaceAnnotations } from "../core/annotations.ts";
import type { ClusterState } from "../core/cluster-state.ts";
import { createEngine } from "../core/engine.ts";
import { evaluate } from "../core/evaluate.ts";
import { exemptionFaults } from "../core/exemption-limits.ts";
import type { Kind } from "../core/kinds.ts";
import type { ExemptionSettings } from "../core/settings.ts";
import { kubectlYaml } from "../manifests/kubectl-yaml.ts";
import { rules } from "../rules/table.ts";
import type { Verb } from "./verb.ts";
import { exitCodes, UsageError } from "./verb.ts";
import { namespaceArgument, readToday, readWorld, worldArguments, worldUsage } from "./world.ts";

/** `waymark exemptions`: which rules are excused where, and until when. */
export const exemptions: Verb = {
	summary:
		"List which namespaces are exempt from which rules, by days left; write exemptions for what there is today",
	usage: `Usage: waymark exemptions [FILE|DIR|-]…
       waymark exemptions --cluster
       waymark exemptions --write --until DATE --reason TEXT [FILE|DIR|-]… | --cluster

Lists the exemptions of all namespaces, those that end first above. With --write, prints Namespaces with an exemption for
each rule that some object of theirs breaks as an error today, to be applied by
kubectl apply --server-side --field-manager=waymark-exemptions -f -

${worldUsage}
  --namespace, -n NS  those of one namespace
  --within DAYS       exit 1 when an exemption has ended, or ends within so many days
  --write             print exemptions instead of listing them
  --until DATE        the last day of those that are printed, YYYY-MM-DD
  --reason TEXT       why; also --owner TEXT and --ticket TEXT
  --output text|json

Exit: 0, 1 when --within finds some, 64 usage, 65 unreadable input, 70 fault`,
	async run(argv, streams) {
		const { values, positionals } = parseArgs({
			args: [...argv],
			allowPositionals: true,
			options: {
				...worldArguments,
				...namespaceArgument,
				within: { type: "string" },
				write: { type: "boolean", default: false },
				until: { type: "string" },
				reason: { type: "string" },
				owner: { type: "string" },
				ticket: { type: "string" },
				output: { type: "string", short: "o", default: "text" },
			},
		});
		const { output } = values;
		if (output !== "text" && output !== "json") {
			throw new UsageError("--output must be text or json");
		}
		const within = readWithin(values.within);
		const text = values.write ? exemptionText(values) : undefined;
		const kinds: readonly Kind[] = values.write
			? [...new Set<Kind>(["Namespace", ...rules.flatMap((rule) => [rule.kind, ...rule.reads])])]
			: ["Namespace"];
		const world = await readWorld("exemptions", positionals, values, kinds, streams);
		if (world === undefined) {
			return exitCodes.unreadable;
		}
		const today = readToday();
		if (text !== undefined) {
			checkExemption(text, values, world.settings.exemptions, today);
			streams.out(written(world, text, today, values.namespace));
			return exitCodes.clean;
		}
		const list = listExemptions(world, today).filter(
			({ namespace }) => values.namespace === undefined || namespace === values.namespace,
		);
		const { cluster } = world.settings.audit;
		streams.out(
			output === "json"
				? `${JSON.stringify({ version: 1, ...(cluster === undefined ? {} : { cluster }), exemptions: list }, undefined, "\t")}\n`
				: `${cluster === undefined ? "" : `${printableLine(`Cluster ${cluster}`)}\n`}${table(list)}`,
		);
		return within !== undefined && list.some(({ daysLeft }) => daysLeft < within)
			? exitCodes.findings
			: exitCodes.clean;
	},
};

function readWithin(text: string | undefined): number | undefined {
	if (text !== undefined && !/^\d{1,4}$/.test(text)) {
		throw new UsageError("--within must be a number of days");
	}
	return text === undefined ? undefined : Number(text);
}

/** The value of every exemption that is printed. */
function exemptionText(values: {
	readonly until?: string;
	readonly reason?: string;
	readonly owner?: string;
	readonly ticket?: string;
}): string {
	const { until, reason, owner, ticket } = values;
	if (until === undefined || !isDay(until)) {
		throw new UsageError("--write needs --until YYYY-MM-DD, the last day of the exemptions");
	}
	if (reason === undefined || reason.trim() === "") {
		throw new UsageError("--write needs --reason TEXT: an exemption says why");
	}
	return [
		`until=${until}`,
		`reason=${reason.trim()}`,
		...(owner === undefined ? [] : [`owner=${owner}`]),
		...(ticket === undefined ? [] : [`ticket=${ticket}`]),
	].join(" ");
}

/** @throws UsageError when an exemption of this text would not say what was asked for, or would be refused when it is applied */
function checkExemption(
	text: string,
	values: {
		readonly until?: string;
		readonly reason?: string;
		readonly owner?: string;
		readonly ticket?: string;
	},
	settings: ExemptionSettings,
	today: string,
): void {
	const annotations = { [`${annotationPrefix}${exemptionPrefix}object-size`]: text };
	const exemption = readNamespaceAnnotations(annotations, "").exemptions.get("object-size");
	const isAsAsked = (["until", "reason", "owner", "ticket"] as const).every(
		(field) => exemption?.[field] === values[field]?.trim(),
	);
	if (exemption === undefined || !isAsAsked) {
		throw new UsageError(
			"--reason, --owner and --ticket must be one text each, without until=, reason=, owner= or ticket= in it",
		);
	}
	if (exemption.until < today) {
		throw new UsageError(`--until ${exemption.until} is over: an exemption that has ended excuses nothing`);
	}
	const [fault] = exemptionFaults(exemption, settings, today);
	if (fault !== undefined) {
		throw new UsageError(
			`An exemption like this would be refused when it is applied. It ${fault.message.charAt(0).toLowerCase()}${fault.message.slice(1)} (--until, --owner, --ticket)`,
		);
	}
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}

/** Namespaces that excuse what their objects break as errors today, as YAML; "" where nothing is broken. */
function written(world: ClusterState, text: string, today: string, only: string | undefined): string {
	const broken = new Map<string, Set<string>>();
	const engine = createEngine(rules);
	for (const kind of engine.byKind.keys()) {
		if (kind === "Namespace") {
			// A Namespace cannot excuse itself from the rules about its own policy.
			continue;
		}
		for (const object of world.all(kind)) {
			const namespace = object.metadata?.namespace ?? "";
			if (only !== undefined && namespace !== only) {
				continue;
			}
			const name = object.metadata?.name ?? undefined;
			const { findings } = evaluate(engine, world, { kind, namespace, name, object, today });
			for (const { rule, severity } of findings) {
				if (severity === "error" && namespace !== "") {
					broken.set(namespace, (broken.get(namespace) ?? new Set()).add(rule));
				}
			}
		}
	}
	return [...broken]
		.toSorted(([one], [other]) => compare(one, other))
		.map(([name, found]) =>
			stringify(
				{
					apiVersion: "v1",
					kind: "Namespace",
					metadata: {
						name,
						annotations: Object.fromEntries(
							[...found].toSorted().map((rule) => [`${annotationPrefix}${exemptionPrefix}${rule}`, text]),
						),
					},
				},
				{ ...kubectlYaml, lineWidth: 0 },
			),
		)
		.join("---\n");
}

function table(list: readonly ListedExemption[]): string {
	if (list.length === 0) {
		return "No namespace is exempt from any rule.\n";
	}
	const rows = list.map(({ daysLeft, until, namespace, rule, owner, ticket, reason }) => [
		daysLeft < 0 ? "ended" : `${daysLeft} ${daysLeft === 1 ? "day" : "days"}`,
		until,
		namespace,
		rule,
		[owner, ticket].filter((each) => each !== null).join(" ") || "-",
		reason,
	]);
	const head = ["LEFT", "UNTIL", "NAMESPACE", "RULE", "OWNER", "REASON"];
	const widths = head.map((title, column) =>
		Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
	);
	const line = (row: readonly string[]): string =>
		row
			.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
			.join("  ");
	return `${[head, ...rows].map((row) => printableLine(line(row))).join("\n")}\n`;
}

/** A reason is anybody's text: it stays on its line. */
function printableLine(text: string): string {
	return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ").trimEnd();
}
