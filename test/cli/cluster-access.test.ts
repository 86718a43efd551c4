import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer, connect as openTcp } from "node:net";
import { delimiter, join } from "node:path";
import type { Duplex } from "node:stream";
import type { TestContext } from "node:test";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { stringify } from "yaml";
import { createAuthority, issueCertificate } from "../../src/certificates/authority.ts";
import type { CertificatePair } from "../../src/certificates/inspect.ts";
import { allKinds, kinds } from "../../src/core/kinds.ts";
import { boundEntry, egressNamespace, egressWaypoint, teamNamespace } from "../../src/rules/examples.ts";
import type { FakeObject } from "../support/fake-api-server.ts";
import { answer, FakeApiServer, failure } from "../support/fake-api-server.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";

const folder = temporaryFolder();
const variables = ["KUBECONFIG", "HTTPS_PROXY", "HOME", "KUBERNETES_SERVICE_HOST"] as const;

describe("a verb with --cluster", () => {
	let authority: CertificatePair;
	let server: FakeApiServer;
	let asked: { readonly user: string | undefined; readonly groups: string | undefined }[];
	const variablesBefore = new Map(variables.map((name) => [name, process.env[name]]));

	before(async () => {
		authority = await createAuthority({ now: new Date() });
	});

	beforeEach(async () => {
		const leaf = await issueCertificate(authority, { names: ["127.0.0.1", "api.example"], now: new Date() });
		server = new FakeApiServer(createServer(leaf));
		for (const kind of allKinds) {
			const { group, plural, versions } = kinds[kind];
			server.install(group, plural, [versions[0] ?? "v1"]);
		}
		server.put("", "namespaces", asObject(teamNamespace));
		server.put("", "namespaces", asObject(egressNamespace));
		server.put("gateway.networking.k8s.io", "gateways", asObject(egressWaypoint));
		server.put("networking.istio.io", "serviceentries", asObject(boundEntry));
		asked = [];
		server.fault = ({ headers }) => {
			asked.push({
				user: headers["impersonate-user"]?.toString(),
				groups: headers["impersonate-group"]?.toString(),
			});
			return false;
		};
		await server.listen();
		for (const name of variables) {
			delete process.env[name];
		}
		process.env.HOME = folder.path;
	});

	afterEach(() => server.stop());

	after(() => {
		for (const [name, value] of variablesBefore) {
			if (value === undefined) {
				delete process.env[name];
			} else {
				process.env[name] = value;
			}
		}
	});

	/** A kubeconfig with contexts `here`, whose namespace is the team's, and `there`, where nobody listens. */
	function kubeconfig(own: object = {}): string {
		const data = { "certificate-authority-data": Buffer.from(authority.cert).toString("base64") };
		return folder.write(
			"config",
			stringify({
				"current-context": "here",
				contexts: [
					{ name: "here", context: { cluster: "c", user: "u", namespace: teamNamespace.metadata?.name } },
					{ name: "there", context: { cluster: "gone", user: "u" } },
				],
				clusters: [
					{ name: "c", cluster: { server: `https://127.0.0.1:${server.port}`, ...data, ...own } },
					{ name: "gone", cluster: { server: "https://127.0.0.1:1" } },
				],
				users: [{ name: "u", user: { token: "t" } }],
			}),
		);
	}

	/** Runs a verb that must fail: at once, in one line, without a stack trace. */
	async function failing(...argv: readonly string[]): Promise<string> {
		return failingWith(70, ...argv);
	}

	async function failingWith(wanted: number, ...argv: readonly string[]): Promise<string> {
		const started = performance.now();
		const { code, out, error } = await runVerb(...argv);
		assert.ok(performance.now() - started < 10_000);
		assert.equal(out, "");
		assert.equal(code, wanted, error);
		assert.match(error, /^waymark: [^\n]+\n$/);
		assert.doesNotMatch(error, /\n\s+at /);
		return error;
	}

	/** Has the environment name a proxy that answers so whoever asks it for a way. */
	async function goThrough(
		context: TestContext,
		onConnect: (request: IncomingMessage, socket: Duplex) => void,
	): Promise<void> {
		const proxy = createHttpServer().on("connect", onConnect);
		context.after(() => {
			proxy.closeAllConnections();
			proxy.close();
		});
		proxy.listen(0, "127.0.0.1");
		await once(proxy, "listening");
		process.env.HTTPS_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
	}

	const host = boundEntry.spec?.hosts?.[0] ?? "";

	it("reads the cluster of the files that KUBECONFIG lists, some of which may not be there", async () => {
		process.env.KUBECONFIG = [join(folder.path, "none"), kubeconfig()].join(delimiter);
		const { code, out, error } = await runVerb("trace", "--all", "--cluster");
		assert.equal(code, 0, error);
		assert.match(out, new RegExp(host));
	});

	it("asks to be whom --as and --as-group name", async () => {
		const flags = ["--as", "jane", "--as-group", "dev", "--as-group", "ops"];
		const { code } = await runVerb("trace", "--all", "--cluster", "--kubeconfig", kubeconfig(), ...flags);
		assert.equal(code, 0);
		assert.ok(asked.length > 0);
		assert.ok(asked.every(({ user, groups }) => user === "jane" && groups === "dev, ops"));
	});

	it("takes the context that --context-name names, and says which there are", async () => {
		const flags = ["trace", "--all", "--cluster", "--kubeconfig", kubeconfig(), "--context-name"];
		assert.match(
			await failing(...flags, "there"),
			/Cannot read the cluster https:\/\/127\.0\.0\.1:1: connection refused \(ECONNREFUSED\)\n$/,
		);
		assert.match(
			await failingWith(65, ...flags, "nowhere"),
			/context "nowhere" .*; there is "here", "there"\n$/,
		);
	});

	it("trace starts in the namespace of the context, and in that of --namespace", async () => {
		const flags = ["--cluster", "--kubeconfig", kubeconfig(), "--output", "json"];
		const from = async (...argv: readonly string[]): Promise<string> =>
			(JSON.parse((await runVerb("trace", host, ...flags, ...argv)).out) as { readonly from: string }).from;
		assert.equal(await from(), teamNamespace.metadata?.name);
		assert.equal(await from("-n", "istio-egress"), "istio-egress");
	});

	it("lint judges the objects of one namespace with --namespace", async () => {
		const judged = async (...argv: readonly string[]): Promise<readonly string[]> => {
			const flags = ["--cluster", "--kubeconfig", kubeconfig(), "--output", "json", ...argv];
			const { summary } = JSON.parse((await runVerb("lint", ...flags)).out) as {
				readonly summary: { readonly documents: number };
			};
			return [String(summary.documents)];
		};
		assert.deepEqual(await judged(), ["4"]);
		assert.deepEqual(await judged("--namespace", egressNamespace.metadata?.name ?? ""), ["2"]);
	});

	it("says at once what is forbidden, in the API server's words", async () => {
		server.fault = ({ url }, response) => {
			if (!url.pathname.endsWith("/serviceentries")) {
				return false;
			}
			answer(
				response,
				403,
				failure(403, "Forbidden", 'serviceentries.networking.istio.io is forbidden: User "u"'),
			);
			return true;
		};
		const error = await failing("lint", "--cluster", "--kubeconfig", kubeconfig());
		assert.match(error, /: serviceentries\.networking\.istio\.io is forbidden: User "u"\n$/);
	});

	it("counts the other kinds that are forbidden, so that one asks once", async () => {
		server.fault = ({ url }, response) => {
			if (!/\/(serviceentries|gateways|namespaces)$/.test(url.pathname)) {
				return false;
			}
			answer(response, 403, failure(403, "Forbidden", "is forbidden"));
			return true;
		};
		const error = await failing("trace", "--all", "--cluster", "--kubeconfig", kubeconfig());
		assert.match(error, /is forbidden \(and 2 more kinds fail\)\n$/);
	});

	it("says at once that credentials are not accepted, for migrate too", async () => {
		server.fault = (_, response) => {
			answer(response, 401, failure(401, "Unauthorized", "Unauthorized"));
			return true;
		};
		for (const verb of ["lint", "inventory", "exemptions", "migrate"]) {
			const out = verb === "migrate" ? ["--out", join(folder.path, "out")] : [];
			const error = await failing(verb, "--cluster", "--kubeconfig", kubeconfig(), ...out);
			assert.match(error, /: Unauthorized: the API server does not accept these credentials\n$/);
		}
	});

	it("says at once that another CA signed the server's certificate", async () => {
		const stranger = await createAuthority({ now: new Date() });
		const data = Buffer.from(stranger.cert).toString("base64");
		const error = await failing(
			...["trace", "--all", "--cluster", "--kubeconfig", kubeconfig({ "certificate-authority-data": data })],
		);
		assert.match(error, /its certificate is not signed by the CA that the kubeconfig names \([A-Z_]+\)\n$/);
	});

	it("says within seconds that nobody answers", async () => {
		const silent = createTcpServer().listen(0, "127.0.0.1");
		await once(silent, "listening");
		const { port } = silent.address() as AddressInfo;
		const file = kubeconfig({ server: `https://127.0.0.1:${port}` });
		const error = await failing("trace", "--all", "--cluster", "--kubeconfig", file);
		assert.match(error, /: no answer in time\n$/);
		silent.close();
	});

	it("says in one line which kubeconfig is not there", async () => {
		const error = await failing("trace", "--all", "--cluster");
		assert.match(
			error,
			/Cannot find a cluster: there is no kubeconfig at .*\.kube\/config \(--kubeconfig FILE or KUBECONFIG names one\)/,
		);
		const none = join(folder.path, "none");
		const named = await failingWith(65, "trace", "--all", "--cluster", "--kubeconfig", none);
		assert.match(named, /Cannot read kubeconfig .*none: no such file or directory\n$/);
	});

	it("says in one line which file that the kubeconfig names cannot be read, as a mistake of the user", async () => {
		for (const [path, reason] of [
			["none.crt", "no such file or directory"],
			[".", "is a directory"],
		] as const) {
			const own = { "certificate-authority-data": undefined, "certificate-authority": path };
			const error = await failingWith(65, "trace", "--all", "--cluster", "--kubeconfig", kubeconfig(own));
			assert.match(
				error,
				/^waymark: Cannot read the cluster https:\/\/127\.0\.0\.1:\d+: Cannot read \/[^\n]*\n$/,
			);
			assert.ok(error.endsWith(`: ${reason}\n`), error);
		}
	});

	it("says which status came with a page of HTML, and not the page", async () => {
		const page =
			"<!DOCTYPE html>\n<html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>";
		for (const [status, body, words] of [
			[502, page, "HTTP 502 Bad Gateway (a page of HTML: something in front of the API server answered)"],
			[
				403,
				"<html><h1>Blocked</h1>",
				"HTTP 403 (a page of HTML: something in front of the API server answered)",
			],
			[503, "no healthy upstream", "HTTP 503 no healthy upstream"],
			[404, "404 page not found\n", "HTTP 404 page not found"],
			[500, "", "HTTP 500"],
			[200, page, "a page of HTML came: something in front of it answered"],
		] as const) {
			server.fault = (_, response) => {
				response.writeHead(status, { "content-type": "text/html" }).end(body);
				return true;
			};
			const error = await failing("trace", "--all", "--cluster", "--kubeconfig", kubeconfig());
			assert.ok(error.endsWith(`: ${words}\n`), error);
		}
	});

	it("says that a proxy lets nobody through, by the status and not by its page", async (context) => {
		await goThrough(context, (_, socket) => {
			socket.on("error", () => {});
			socket.end("HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\n\r\n<html><h1>Blocked</h1></html>");
		});
		const file = kubeconfig({ server: "https://api.example:6443" });
		const error = await failing("trace", "--all", "--cluster", "--kubeconfig", file);
		assert.match(error, /proxy/i);
		assert.match(error, /403/);
		assert.doesNotMatch(error, /</);
	});

	it("goes through HTTPS_PROXY", async (context) => {
		const tunnels: (string | undefined)[] = [];
		await goThrough(context, (request, socket) => {
			tunnels.push(request.url);
			const upstream = openTcp(server.port, "127.0.0.1", () => {
				socket.write("HTTP/1.1 200 OK\r\n\r\n");
				upstream.pipe(socket).pipe(upstream);
			});
			upstream.on("error", () => socket.destroy());
			socket.on("error", () => upstream.destroy());
		});
		const file = kubeconfig({ server: "https://api.example:6443" });
		const { code, error } = await runVerb("trace", "--all", "--cluster", "--kubeconfig", file);
		assert.equal(code, 0, error);
		assert.ok(tunnels.length > 0 && tunnels.every((each) => each === "api.example:6443"));
	});

	it("takes no --as, --as-group or --context-name where nothing is asked of a cluster", async () => {
		for (const flags of [
			["--as", "x"],
			["--context-name", "x"],
			["--cluster", "--as-group", "x"],
		]) {
			assert.equal((await runVerb("trace", "--all", "file.yaml", ...flags)).code, 64);
		}
	});
});

/** The examples are objects of the API server but for what it adds. */
function asObject(object: object): FakeObject {
	return object as FakeObject;
}
