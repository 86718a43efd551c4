import { canonicalHost } from "../core/host-pattern.ts";
import { newestIstioMinor } from "../core/mesh.ts";
import { serviceOfHost } from "../core/service-names.ts";
import type { Block, Instruction, Way } from "./document.ts";
import { code, count } from "./document.ts";
import { fieldsOf, listOf, textOf } from "./fields.ts";
import type { HeldMigration } from "./hold-back.ts";
import type { InputObject, Output, Stage } from "./input-object.ts";
import { titleOf } from "./input-object.ts";
import type { LedgerEntry, Outcome } from "./ledger.ts";
import type { ConvertedBundle } from "./migrate.ts";

/** What lint says of an object of the input as it is. */
export interface InputFinding {
	readonly place: string;
	readonly rule: string;
	readonly severity: string;
	readonly message: string;
}

/** What a report is about besides the migration itself. */
export interface ReportContext {
	readonly findings: readonly InputFinding[];
	/** Where the clients are, as far as it was said; else their namespaces are taken from the routes. */
	readonly clients: Clients | undefined;
	/** Istio's minor version, 31 for 1.31. */
	readonly istioMinor: number;
}

/** Namespaces of clients: those in ambient, and those that still have sidecars. */
export interface Clients {
	readonly ambient: readonly string[];
	readonly sidecar: readonly string[];
}

/** The heading of a report. */
export const reportTitle = "Migration from sidecar-style egress to ambient";

/** How many fields were carried, implied and not carried. */
export function countOutcomes(ledger: readonly LedgerEntry[]): Readonly<Record<Outcome, number>> {
	const number = (outcome: Outcome): number => ledger.filter((entry) => entry.outcome === outcome).length;
	return { carried: number("carried"), implied: number("implied"), "not carried": number("not carried") };
}

const heading = (level: 1 | 2 | 3, text: string): Block => ({ kind: "heading", level, text });
const paragraph = (text: string): Block => ({ kind: "text", text });
const bullets = (level: 2 | 3, title: string, items: readonly string[]): readonly Block[] =>
	items.length === 0 ? [] : [heading(level, title), { kind: "list", items }];

const most = 50;

/** The first of many, with the number of the others. */
function someOf(items: readonly string[], limit: number): readonly string[] {
	return items.length > limit ? [...items.slice(0, limit), `and ${items.length - limit} more`] : items;
}

/** The report: for each way out, what it was, what it became, what was lost, how to check and how to go back. */
export function reportOf(migration: HeldMigration, context: ReportContext): readonly Block[] {
	const { bundles, untouched, withheld } = migration;
	const total = countOutcomes(bundles.flatMap((each) => each.ledger));
	const replaced = bundles.filter(({ isReplaced }) => isReplaced);
	return [
		heading(1, reportTitle),
		paragraph(
			bundles.length === 0
				? "No sidecar-style egress was found in the input."
				: `${count(bundles.length, "way")} out found, ${replaced.length} of them replaced. ${outcomeText(total, replaced.length > 0)}`,
		),
		...orderOf(migration, context),
		...withheld.map(
			({ title, reasons }): Block => ({
				kind: "warning",
				text: `**Held back:** ${code(title)} was not written: ${reasons.join("; ")}`,
			}),
		),
		...bundles.flatMap((bundle, index) => sectionOf(bundle, index + 1, context)),
		...bullets(
			2,
			"What lint says of the input",
			someOf(
				context.findings.map(
					({ place, rule, severity, message }) => `${code(place)} ${severity} ${code(rule)}: ${message}`,
				),
				most,
			),
		),
		...(untouched.length === 0
			? []
			: [
					heading(2, "Left alone"),
					paragraph("Nothing is written for these objects, and nothing of them is deleted:"),
					{ kind: "list" as const, items: untouched.map(placed) },
				]),
	];
}

function outcomeText(total: Readonly<Record<Outcome, number>>, isReplaced: boolean): string {
	const { carried, implied, "not carried": lost } = total;
	if (!isReplaced) {
		return `Of their fields ${carried} would be carried over, ${implied} would not be needed any more, ${lost} could not be carried.`;
	}
	const be = (number: number): string => (number === 1 ? "is" : "are");
	return `Of their fields ${carried} ${be(carried)} carried over, ${implied} ${be(implied)} not needed any more, ${lost} could not be carried.`;
}

function placed(input: InputObject): string {
	return `${code(titleOf(input))} (${code(`${input.file}:${input.line}`)})`;
}

/** The order of the steps; none where nothing has a new way. */
function orderOf(migration: HeldMigration, { clients, istioMinor }: ReportContext): readonly Block[] {
	const { bundles, outputs } = migration;
	if (!bundles.some(({ isReplaced }) => isReplaced)) {
		return bundles.length === 0
			? []
			: [
					paragraph(
						"**Nothing is replaced:** no way out has all of its ServiceEntries, so there is no order to follow, and the old objects have to stay.",
					),
				];
	}
	const has = (stage: Stage): boolean => outputs.some((output) => output.stage === stage);
	const steering = [...new Set(bundles.flatMap((bundle) => bundle.steering))];
	const removals = bundles.some((bundle) => bundle.removals.length > 0);
	const steps: readonly Instruction[] = [
		has("1-add")
			? {
					text: "At any time: clients with sidecars notice nothing. Wait until every waypoint has an address and every ServiceEntry says `WaypointBound=True`.",
					commands: ["kubectl apply -f 1-add/"],
				}
			: { text: "There is nothing to add beforehand: see that the waypoint has an address.", commands: [] },
		moveStep(has("2-switch"), steering, clients),
		...(removals ? [lastStep(bundles)] : []),
	];
	return [
		heading(2, "Order"),
		...clientNotes(clients, istioMinor),
		{ kind: "steps", steps },
		heading(3, "Back"),
		...backOf(migration, removals),
	];
}

/** The way back, from whichever step: the old objects and clients in one window, then what only waypoints need. */
function backOf({ outputs }: HeldMigration, hasRemovals: boolean): readonly Block[] {
	const folders = [
		...(outputs.some(({ base }) => base !== undefined) ? ["back/"] : []),
		...(hasRemovals ? ["3-remove/"] : []),
	];
	const [first, last] = [deletionsOf(outputs, "2-switch"), deletionsOf(outputs, "1-add")];
	const apply = folders.length === 0 ? "" : "apply the old objects as they were in the input, ";
	const drop = first.length === 0 ? "" : "delete what `2-switch/` added, ";
	return [
		{
			kind: "steps",
			steps: [
				{
					text: `In one window: ${apply}${drop}take the label \`istio.io/dataplane-mode\` off the clients' namespaces, put the sidecar injection back and restart the pods.`,
					commands: [...folders.map((folder) => `kubectl apply -f ${folder}`), ...first],
				},
				...(last.length === 0
					? []
					: [{ text: "When no client is in ambient any more, delete what `1-add/` added.", commands: last }]),
			],
		},
	];
}

/** The deletions of the objects that a stage wrote under names that the input does not have. */
function deletionsOf(outputs: readonly Output[], stage: Stage): readonly string[] {
	const added = outputs.filter((output) => output.stage === stage && !isContinued(output)).toReversed();
	return added.map(({ object }) => {
		const { namespace, name } = fieldsOf(object.metadata);
		const resource = resourceOf({ title: String(object.kind), object });
		return `kubectl delete ${resource} -n ${shell(textOf(namespace) ?? "")} ${shell(textOf(name) ?? "")} --ignore-not-found`;
	});
}

function isContinued({ base, object }: Output): boolean {
	const { namespace, name } = fieldsOf(object.metadata);
	return base !== undefined && base.name === name && base.namespace === namespace;
}

function moveStep(
	hasSwitch: boolean,
	steering: readonly InputObject[],
	clients: Clients | undefined,
): Instruction {
	const named = clients?.sidecar.map((name) => code(name)).join(", ");
	const who = named === undefined || named === "" ? "the clients' namespaces" : `the namespaces ${named}`;
	const move = `label ${who} \`istio.io/dataplane-mode=ambient\`, remove the sidecar injection and restart the pods`;
	const deletions = steering.map(
		(input) => `kubectl delete ${resourceOf(input)} -n ${shell(input.namespace)} ${shell(input.name)}`,
	);
	const isTwin = (input: InputObject): boolean => input.kind === "ServiceEntry";
	const why = [
		steering.every(isTwin)
			? ""
			: " Delete in the same window what led the sidecars to the gateway: a waypoint obeys these routes as sidecars do, and would send its traffic to the gateway.",
		steering.some(isTwin)
			? " Delete in the same window the other ServiceEntries for these hosts: clients of their namespaces would ask those first, which are not bound."
			: "",
	].join("");
	return {
		text: `In one window: ${hasSwitch ? "apply `2-switch/`, then " : ""}${move}.${hasSwitch ? " Clients that still have a sidecar see `2-switch/` too." : ""}${why}`,
		commands: [...(hasSwitch ? ["kubectl apply -f 2-switch/"] : []), ...deletions],
	};
}

function lastStep(bundles: readonly ConvertedBundle[]): Instruction {
	const commands = [...new Set(bundles.flatMap(quietCommands))];
	return {
		text: `When the old gateway is silent. ${
			commands.length === 0
				? "The input does not say which pods it has: see that none of them has connections."
				: `It is where two runs of the ${commands.length === 1 ? "first command" : `first ${commands.length} commands`}, some minutes apart, print the same numbers.`
		}`,
		commands: [...commands, "kubectl delete -f 3-remove/ --ignore-not-found"],
	};
}

/** Commands that print how many connections the pods of an old gateway have taken. */
function quietCommands({ bundle, isReplaced }: ConvertedBundle): readonly string[] {
	if (!isReplaced) {
		return [];
	}
	const services = bundle.participants.flatMap(({ input, hops }) =>
		(hops?.toGateway ?? []).flatMap(({ host }) => serviceOfHost(host, input.namespace) ?? []),
	);
	return bundle.participants
		.filter(({ role }) => role === "gateway")
		.map(({ input }) => {
			const selector = fieldsOf(fieldsOf(input.object.spec).selector);
			const labels = Object.entries(selector).map(
				([name, value]) => `${label(name)}=${shell(String(value))}`,
			);
			const own = `gateway.networking.k8s.io/gateway-name=${shell(input.name)}`;
			const namespace = labels.length === 0 ? input.namespace : (services[0]?.namespace ?? "istio-system");
			const pods = `kubectl get pods -n ${shell(namespace)} -l ${labels.length === 0 ? own : labels.join(",")} -o name`;
			return `for pod in $(${pods}); do kubectl exec -n ${shell(namespace)} $pod -c istio-proxy -- pilot-agent request GET 'stats?usedonly&filter=^listener.*downstream_cx_total'; done`;
		});
}

function clientNotes(clients: Clients | undefined, istioMinor: number): readonly Block[] {
	if (clients === undefined) {
		return [];
	}
	const { ambient, sidecar } = clients;
	const names = (list: readonly string[]): string => list.map(code).join(", ");
	return [
		...(ambient.length === 0
			? []
			: [
					paragraph(
						`Clients in ${names(ambient)} are in ambient already: they do not read the old routes, and go by the waypoint as soon as the ServiceEntry is bound. Until then they connect directly. Until the old routes are deleted, a waypoint that reads them leads to the old gateway.`,
					),
				]),
		...(sidecar.length === 0
			? []
			: [
					paragraph(
						`Clients in ${names(sidecar)} have sidecars: ${passingBy(istioMinor)} They need the old gateway until they move. Move them one namespace after the other; each goes back by its own labels and a restart. Keep \`3-remove/\` until the last of them has moved.`,
					),
				]),
		...(ambient.length > 0 && sidecar.length > 0
			? [
					{
						kind: "warning" as const,
						text: "Clients are in both worlds. `2-switch/` and the deletions of that step hold for both: ServiceEntries and DestinationRules there change the old gateway's ports too, and with a route there, or without the old routes, a sidecar that is left connects to the host directly, past gateway and waypoint. Carry out that step in the window in which the last clients with sidecars move.",
					},
				]
			: []),
	];
}

/** Whether sidecars use waypoints, as far as it was seen. */
function passingBy(istioMinor: number): string {
	return istioMinor <= newestIstioMinor
		? "they do not use waypoints."
		: `up to Istio 1.${newestIstioMinor} they do not use waypoints. Waymark was not held against Istio 1.${istioMinor}, in which that may be different (pull request 61620 of istio/istio): look at \`istioctl proxy-config endpoints\` of one of them. The order below is right either way.`;
}

/** The resource of a route as kubectl wants it, with its group: two groups have a Gateway. */
function resourceOf({ title, object }: Pick<InputObject, "title" | "object">): string {
	const group = (textOf(object.apiVersion) ?? "").split("/")[0] ?? "";
	return `${title.toLowerCase()}.${shell(group)}`;
}

/** A name that a user chose, in a command: nothing but what names have. */
function shell(text: string): string {
	return text.replaceAll(/[^A-Za-z0-9.-]/g, "_");
}

/** The name of a label, in a command. */
function label(text: string): string {
	return text.replaceAll(/[^A-Za-z0-9./-]/g, "_");
}

function sectionOf(converted: ConvertedBundle, number: number, context: ReportContext): readonly Block[] {
	const { bundle, outputs, removals, ledger, notes, isReplaced } = converted;
	const counts = countOutcomes(ledger);
	const lost = ledger.filter((entry) => entry.outcome === "not carried");
	const title = bundle.hosts.length === 0 ? "no host found" : bundle.hosts.slice(0, 4).map(code).join(", ");
	const more = bundle.hosts.length > 4 ? ` and ${bundle.hosts.length - 4} more` : "";
	return [
		heading(2, `${number}. ${title}${more}`),
		...(isReplaced ? [] : [{ kind: "warning" as const, text: whyNotReplaced(converted) }]),
		...pictures(converted),
		paragraph(
			`${count(counts.carried, "field")} carried, ${counts.implied} implied, ${counts["not carried"]} not carried.`,
		),
		...bullets(3, "To know and to do", notes),
		...bullets(
			3,
			"Written",
			outputs.map(({ stage, object, purpose }) => {
				const { namespace, name } = fieldsOf(object.metadata);
				return `\`${stage}\` ${code(`${String(object.kind)} ${textOf(namespace) ?? ""}/${textOf(name) ?? ""}`)}: ${purpose}`;
			}),
		),
		...bullets(3, "To delete at the end", removals.map(placed)),
		...(lost.length === 0 ? [] : [heading(3, "Not carried"), tableOf(lost)]),
		...(ledger.length === 0
			? []
			: [
					{
						kind: "details" as const,
						title: isReplaced ? "What every field became" : "What every field would become",
						blocks: [tableOf(ledger)],
					},
				]),
		...bullets(3, "To check", checks(converted, context)),
	];
}

function whyNotReplaced({ entries }: ConvertedBundle): string {
	return entries.length === 0
		? "**Not replaced:** no ServiceEntry is written for this way out, so its old objects stay."
		: "**Not replaced as a whole:** one of its ServiceEntries is held back, so its old objects stay.";
}

function tableOf(entries: readonly LedgerEntry[]): Block {
	return {
		kind: "table",
		columns: ["object", "field", "outcome", "why, or where to"],
		rows: entries.map(({ input, path, outcome, note }) => [code(titleOf(input)), code(path), outcome, note]),
	};
}

const mostHosts = 6;

/** The old way and the new one, as the objects of the input say it. */
function pictures({ bundle, entries, isReplaced }: ConvertedBundle): readonly Block[] {
	const hosts = someOf(bundle.hosts, mostHosts);
	const before = oldWays(bundle, hosts);
	const waypoints = Map.groupBy(entries, ({ waypoint }) => `waypoint ${waypoint.namespace}/${waypoint.name}`);
	const after = [...waypoints].flatMap(([waypoint, own]) =>
		someOf([...new Set(own.flatMap((entry) => entry.hosts))], mostHosts).map(
			(host): Way => ({
				boxes: ["clients in ambient", "ztunnel", waypoint, host],
				arrows: ["every connection", "HBONE", "ServiceEntry"],
			}),
		),
	);
	return [
		...(before.length === 0 ? [] : [{ kind: "picture" as const, title: "Before", ways: before }]),
		...(isReplaced && after.length > 0 ? [{ kind: "picture" as const, title: "After", ways: after }] : []),
	];
}

function oldWays({ participants }: ConvertedBundle["bundle"], hosts: readonly string[]): readonly Way[] {
	const gateways = participants.filter(({ role }) => role === "gateway" || role === "asm");
	const routes = participants.filter(({ role }) => role === "route");
	const detours = participants.filter(
		({ role, input }) => role === "entry" && fieldsOf(input.object.spec).endpoints !== undefined,
	);
	const isAsm = gateways.some(({ role }) => role === "asm");
	const toGateway = [
		...routes.filter(({ hops, ties }) =>
			hops === undefined ? ties.some((tie) => tie.startsWith("backend ")) : hops.toGateway.length > 0,
		),
		...detours,
	];
	const toHost = routes.filter(({ hops, ties }) =>
		hops === undefined ? ties.some((tie) => tie.startsWith("kubernetes ")) : hops.toHost.length > 0,
	);
	if (gateways.length === 0 && routes.length === 0) {
		return [];
	}
	const names = gateways.map(({ input }) => titleOf(input));
	const first = toGateway[0] ?? (isAsm ? gateways[0] : undefined);
	const last = toHost[0] ?? (isAsm ? gateways[0] : undefined);
	return (hosts.length === 0 ? ["no external host"] : hosts).map((host) => {
		const out = last ?? routes.find(({ input }) => namesDestination(input, host));
		return {
			boxes: [
				"clients with sidecars",
				someOf(names, 2).join(", ") || "egress gateway, not in the input",
				host,
			],
			arrows: [
				first === undefined ? undefined : titleOf(first.input),
				out === undefined ? undefined : titleOf(out.input),
			],
		};
	});
}

/** Whether a VirtualService leads to a host by name: a name of the cluster is no way outside, and a way all the same. */
function namesDestination(input: InputObject, host: string): boolean {
	const spec = fieldsOf(input.object.spec);
	return [spec.http, spec.tls, spec.tcp]
		.flatMap(listOf)
		.flatMap((route) => listOf(fieldsOf(route).route))
		.some((each) => canonicalHost(textOf(fieldsOf(fieldsOf(each).destination).host) ?? "") === host);
}

/** Where the clients of a way out are: as it was said, else where its routes to the gateway stand. */
function clientNamespaces(
	{ bundle, entries }: ConvertedBundle,
	{ clients }: ReportContext,
): readonly string[] {
	const said = clients === undefined ? [] : [...clients.ambient, ...clients.sidecar];
	const routed = bundle.participants
		.filter(({ hops }) => (hops?.toGateway ?? []).length > 0)
		.map(({ input }) => input.namespace);
	const all = said.length > 0 ? said : routed.length > 0 ? routed : entries.map(({ namespace }) => namespace);
	return [...new Set(all)].slice(0, 5);
}

function checks(converted: ConvertedBundle, context: ReportContext): readonly string[] {
	const namespaces = clientNamespaces(converted, context);
	return converted.entries.flatMap(({ namespace, name, hosts }) => [
		`\`kubectl get serviceentry -n ${shell(namespace)} ${shell(name)} -o jsonpath='{.status.conditions}'\` says \`WaypointBound\` \`True\``,
		...hosts
			.filter((host) => !host.startsWith("*"))
			.flatMap((host) => [
				...namespaces.map(
					(from) =>
						`\`waymark trace ${shell(host)} --from ${shell(from)} --cluster\` ends with the waypoint, once that namespace is in ambient`,
				),
				`\`istioctl ztunnel-config service\` shows ${code(host)} with an address`,
			]),
	]);
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
