import type { Exemption } from "./annotations.ts";
import type { ExemptionSettings } from "./settings.ts";

const dayMs = 86_400_000;

/** What an exemption lacks of what the configuration wants of one that is written on a day. */
export function* exemptionFaults(
	{ until, owner, ticket }: Exemption,
	{ requireOwner, requireTicket, longestDays }: ExemptionSettings,
	today: string,
): Iterable<{ readonly message: string; readonly hint: string }> {
	const days = Math.round((Date.parse(until) - Date.parse(today)) / dayMs);
	if (requireOwner && owner === undefined) {
		yield { message: "Names no owner, which this cluster requires of exemptions", hint: "Add owner=TEXT" };
	}
	if (requireTicket && ticket === undefined) {
		yield { message: "Names no ticket, which this cluster requires of exemptions", hint: "Add ticket=TEXT" };
	}
	if (longestDays !== undefined && days > longestDays) {
		yield {
			message: `Lasts ${days} days from today, and this cluster allows ${longestDays}`,
			hint: `Write until=YYYY-MM-DD with a day within ${longestDays} days`,
		};
	}
}
