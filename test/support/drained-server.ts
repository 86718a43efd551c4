import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import { installDrain } from "../../src/server/drain.ts";
import { untilSignalled } from "../../src/server/signals.ts";

/** A process of its own that serves until it is signalled: `/slow` takes as long as its argument says. */
const app = fastify({ return503OnClosing: false });
const drain = installDrain(app, { quietMs: 100, deadlineMs: 1000, refuseMs: 100, finishMs: 300 });
app.get("/", async () => "hello");
app.get("/slow", async () => {
	await new Promise((resolve) => setTimeout(resolve, Number(process.argv[2])).unref());
	return "done";
});
await app.listen({ port: 0, host: "127.0.0.1" });
process.stdout.write(`${(app.server.address() as AddressInfo).port}\n`);
process.exitCode = await untilSignalled(async () => {
	const { cut } = await drain.begin();
	return cut === 0 ? 0 : 1;
});
