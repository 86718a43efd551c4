import type { Agent } from "node:https";
import { request } from "node:https";

/** What is posted, and where. */
export interface Post {
	readonly host: string;
	readonly port: number;
	readonly path: string;
	readonly body: string;
	readonly agent: Agent;
}

/** An answer over HTTPS. */
export interface Posted {
	readonly status: number;
	readonly body: string;
}

/** Posts JSON over HTTPS and rejects when the connection or its TLS fails. */
export function post({ body, ...where }: Post): Promise<Posted> {
	return new Promise((resolve, reject) => {
		const call = request(
			{ ...where, method: "POST", headers: { "content-type": "application/json" } },
			async (response) => {
				let text = "";
				for await (const chunk of response) {
					text += chunk;
				}
				resolve({ status: response.statusCode ?? 0, body: text });
			},
		);
		call.on("error", reject);
		call.end(body);
	});
}
