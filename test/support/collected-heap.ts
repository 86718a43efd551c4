import { once } from "node:events";

/**
 * The heap of a process after a collection, in MiB, by its inspector (`--inspect=127.0.0.1:PORT`): what happens to be garbage
 * at a moment says nothing of what is kept.
 */
export async function collectedHeapMiB(port: number): Promise<number> {
	const answer = await fetch(`http://127.0.0.1:${port}/json/list`);
	const [target] = (await answer.json()) as readonly { readonly webSocketDebuggerUrl: string }[];
	const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
	await once(socket, "open");
	const ask = async (method: string): Promise<Readonly<Record<string, number>>> => {
		socket.send(JSON.stringify({ id: 1, method }));
		const [message] = (await once(socket, "message")) as [MessageEvent];
		return (JSON.parse(String(message.data)) as { result: Readonly<Record<string, number>> }).result;
	};
	try {
		await ask("HeapProfiler.collectGarbage");
		const { usedSize = Number.NaN } = await ask("Runtime.getHeapUsage");
		return usedSize / 2 ** 20;
	} finally {
		socket.close();
	}
}
