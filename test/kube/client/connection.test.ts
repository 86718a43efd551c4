import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer, connect as openTcp } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { stringify } from "yaml";
import { createAuthority, issueCertificate } from "../../../src/certificates/authority.ts";
import type { CertificatePair } from "../../../src/certificates/inspect.ts";
import { ApiError } from "../../../src/kube/client/api.ts";
import { connect } from "../../../src/kube/client/connection.ts";
import { inClusterCredentials, kubeconfigCredentials } from "../../../src/kube/client/credentials.ts";
import { execPlugin } from "../../../src/kube/client/exec-plugin.ts";
import { answer, FakeApiServer, failure } from "../../support/fake-api-server.ts";

describe("connection", () => {
	let folder: string;
	let authority: CertificatePair;
	let client: CertificatePair;
	let server: FakeApiServer;
	let seen: { authorization: string | undefined; groups: string | undefined; client: string | undefined }[];
	/** The one token that the server takes; undefined: any. */
	let goodToken: string | undefined;

	before(async () => {
		authority = await createAuthority({ now: new Date() });
		client = await issueCertificate(authority, { names: ["waymark"], now: new Date(), purpose: "client" });
	});

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "waymark-connection-"));
		const leaf = await issueCertificate(authority, { names: ["127.0.0.1"], now: new Date() });
		server = new FakeApiServer(
			createServer({ ...leaf, ca: authority.cert, requestCert: true, rejectUnauthorized: false }),
		);
		server.install("", "namespaces", ["v1"]);
		server.put("", "namespaces", { metadata: { name: "a" } });
		seen = [];
		goodToken = undefined;
		server.fault = ({ headers, socket }, response) => {
			const { raw } = (socket as TLSSocket).getPeerCertificate();
			seen.push({
				authorization: headers.authorization,
				groups: headers["impersonate-group"]?.toString(),
				client: raw === undefined ? undefined : new X509Certificate(raw).subject,
			});
			if (goodToken === undefined || headers.authorization === `Bearer ${goodToken}`) {
				return false;
			}
			answer(response, 401, failure(401, "Unauthorized", "Unauthorized"));
			return true;
		};
		await server.listen();
	});

	afterEach(async () => {
		await server.stop();
		await rm(folder, { recursive: true });
	});

	const base64 = (text: string): string => Buffer.from(text).toString("base64");

	async function kubeconfig(user: object, cluster: object = {}): Promise<string> {
		const file = join(folder, "kubeconfig");
		const own = {
			server: `https://127.0.0.1:${server.port}`,
			"certificate-authority-data": base64(authority.cert),
		};
		await writeFile(
			file,
			stringify({
				"current-context": "here",
				contexts: [{ name: "here", context: { cluster: "c", user: "u" } }],
				clusters: [{ name: "c", cluster: { ...own, ...cluster } }],
				users: [{ name: "u", user }],
			}),
		);
		return file;
	}

	async function read(credentials: Parameters<typeof connect>[0]): Promise<void> {
		const connection = connect(credentials);
		try {
			const namespace = (await connection.request("GET", "/api/v1/namespaces/a")) as {
				metadata: { name: string };
			};
			assert.equal(namespace.metadata.name, "a");
		} finally {
			await connection.stop();
		}
	}

	test("kubeconfigCredentials() use a token, impersonation and groups", async () => {
		await read(
			await kubeconfigCredentials(await kubeconfig({ token: "t", as: "x", "as-groups": ["g", "h"] })),
		);
		assert.deepEqual([seen[0]?.authorization, seen[0]?.groups], ["Bearer t", "g, h"]);
	});

	test("kubeconfigCredentials() use client certificates from data and from files beside the kubeconfig", async () => {
		await writeFile(join(folder, "client.crt"), client.cert);
		await writeFile(join(folder, "client.key"), client.key);
		await writeFile(join(folder, "ca.crt"), authority.cert);
		const data = { "client-certificate-data": base64(client.cert), "client-key-data": base64(client.key) };
		await read(await kubeconfigCredentials(await kubeconfig(data)));
		const files = { "client-certificate": "client.crt", "client-key": "client.key" };
		const ca = { "certificate-authority-data": "", "certificate-authority": "ca.crt" };
		await read(await kubeconfigCredentials(await kubeconfig(files, ca)));
		assert.deepEqual(
			seen.map((each) => each.client),
			["CN=waymark", "CN=waymark"],
		);
	});

	test("kubeconfigCredentials() run an exec plugin, and again when its token was refused", async () => {
		const plugin = join(folder, "plugin.sh");
		await writeFile(join(folder, "token"), "old");
		await writeFile(
			plugin,
			`#!/bin/sh\nprintf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat ${folder}/token)"\n`,
		);
		await chmod(plugin, 0o755);
		const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
		const connection = connect(
			await kubeconfigCredentials(await kubeconfig({ exec }), undefined, process.env),
		);
		const get = (): Promise<unknown> => connection.request("GET", "/api/v1/namespaces/a");
		await get();
		goodToken = "new";
		await writeFile(join(folder, "token"), "new");
		await assert.rejects(get(), (error: unknown) => error instanceof ApiError && error.status === 401);
		await get();
		assert.deepEqual(
			seen.map(({ authorization }) => authorization),
			["Bearer old", "Bearer old", "Bearer new"],
		);
		await connection.stop();
	});

	const plugin = async (script: string): Promise<string> => {
		const path = join(folder, `plugin-${plugins++}.sh`);
		await writeFile(path, `#!/bin/sh\n${script}\n`);
		await chmod(path, 0o755);
		return path;
	};
	let plugins = 0;
	const credential = (status: object): string =>
		`printf '%s' '${JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status })}'`;
	const execOf = (command: string, more: object = {}): object => ({
		exec: { apiVersion: "client.authentication.k8s.io/v1", command, ...more },
	});

	test("kubeconfigCredentials() run an exec plugin from the kubeconfig's folder, with its arguments and environment", async () => {
		const path = await plugin(`${credential({ token: "TOKEN" })} | sed "s/TOKEN/$1-$SECRET-$HOME_OF/"`);
		const file = await kubeconfig(
			execOf(`./${basename(path)}`, { args: ["arg"], env: [{ name: "SECRET", value: "secret" }] }),
		);
		const credentials = await kubeconfigCredentials(file, undefined, {
			PATH: process.env.PATH,
			HOME_OF: "me",
		});
		assert.equal((await credentials.current()).headers.authorization, "Bearer arg-secret-me");
	});

	test("kubeconfigCredentials() run an exec plugin again when what it gave has expired", async () => {
		const runs = join(folder, "runs");
		const path = await plugin(
			`echo run >> ${runs}; ${credential({ token: "t", expirationTimestamp: "2020-01-01T00:00:00Z" })}`,
		);
		const credentials = await kubeconfigCredentials(await kubeconfig(execOf(path)), undefined, process.env);
		await credentials.current();
		await credentials.current();
		assert.equal(await readFile(runs, "utf8"), "run\nrun\n");
	});

	test("kubeconfigCredentials() present the certificate that an exec plugin gave", async () => {
		const path = await plugin(credential({ clientCertificateData: "CERT", clientKeyData: "KEY" }));
		const credentials = await kubeconfigCredentials(await kubeconfig(execOf(path)), undefined, process.env);
		const { tls } = await credentials.current();
		assert.deepEqual([tls.cert, tls.key], ["CERT", "KEY"]);
	});

	for (const [what, script, reason] of [
		["fails", "echo 'log in first' >&2; exit 3", /it ended with exit code 3: log in first/],
		["writes no JSON", "echo hello", /it wrote no JSON/],
		["writes another object", `echo '{"kind":"Pod"}'`, /it wrote no ExecCredential of client/],
		["gives nothing", credential({}), /it gave neither a token nor a certificate with its key/],
		["gives a certificate without a key", credential({ clientCertificateData: "C" }), /it gave neither/],
		["floods", "head -c 3000000 /dev/zero", /it wrote more than 1 MiB/],
	] as const) {
		test(`kubeconfigCredentials() say so when an exec plugin ${what}, with its hint`, async () => {
			const file = await kubeconfig(execOf(await plugin(script), { installHint: "see the wiki" }));
			const credentials = await kubeconfigCredentials(file, undefined, process.env);
			await assert.rejects(credentials.current(), (error: Error) => {
				assert.match(error.message, reason);
				assert.match(error.message, /see the wiki$/);
				return true;
			});
		});
	}

	test("kubeconfigCredentials() say so when an exec plugin is not there, or speaks a version of long ago", async () => {
		const lost = await kubeconfigCredentials(await kubeconfig(execOf("waymark-no-such-plugin")));
		await assert.rejects(lost.current(), /Cannot get credentials from waymark-no-such-plugin: .*ENOENT/);
		const apiVersion = "client.authentication.k8s.io/v1alpha1";
		const old = await kubeconfigCredentials(await kubeconfig(execOf("x", { apiVersion })));
		await assert.rejects(old.current(), /its apiVersion must be client.authentication.k8s.io\/v1 or /);
	});

	test("execPlugin() kills a plugin that does not end in time", async () => {
		const path = await plugin("exec sleep 30");
		const hanging = execPlugin(
			{ apiVersion: "client.authentication.k8s.io/v1", command: path },
			{ server: "https://127.0.0.1" },
			{ folder, environment: process.env, limitMs: 200 },
		);
		await assert.rejects(hanging.current(), /it did not end within 0.2 s/);
	});

	test("kubeconfigCredentials() take the ID token of provider oidc, and refuse providers of long ago", async () => {
		const oidc = { "auth-provider": { name: "oidc", config: { "id-token": "id" } } };
		const credentials = await kubeconfigCredentials(await kubeconfig(oidc));
		assert.equal((await credentials.current()).headers.authorization, "Bearer id");
		const gcp = await kubeconfigCredentials(await kubeconfig({ "auth-provider": { name: "gcp" } }));
		await assert.rejects(gcp.current(), /auth-provider "gcp" is not supported any more; use an exec plugin/);
	});

	test("kubeconfigCredentials() say what is wrong with a kubeconfig", async () => {
		await assert.rejects(
			kubeconfigCredentials(join(folder, "none")),
			/Cannot read kubeconfig .*none: ENOENT/,
		);
		const file = await kubeconfig({});
		await assert.rejects(
			kubeconfigCredentials(file, "there"),
			/context "there" names no cluster with a server/,
		);
		const proxied = await kubeconfig({}, { "proxy-url": "socks5://127.0.0.1:1" });
		await assert.rejects(kubeconfigCredentials(proxied), /proxy-url must be http or https/);
		await writeFile(file, "a: [");
		await assert.rejects(kubeconfigCredentials(file), /is not YAML/);
	});

	test("inClusterCredentials() read the token again when it was refused, and survive that it is missing for a moment", async () => {
		const directory = join(folder, "serviceaccount");
		await mkdir(directory);
		await writeFile(join(directory, "ca.crt"), authority.cert);
		const credentials = inClusterCredentials({ host: "127.0.0.1", port: String(server.port), directory });
		const connection = connect(credentials);
		const get = (): Promise<unknown> => connection.request("GET", "/api/v1/namespaces/a");
		await assert.rejects(get(), /Cannot read .*token: ENOENT/);
		await writeFile(join(directory, "token"), "first\n");
		goodToken = "first";
		await get();
		goodToken = "second";
		await rm(join(directory, "token"));
		await assert.rejects(get(), /Unauthorized/);
		await assert.rejects(get(), /Unauthorized/);
		await writeFile(join(directory, "token"), "second\n");
		await get();
		await connection.stop();
	});

	test("connect() trusts the cluster's CA only", async () => {
		const stranger = await createAuthority({ now: new Date() });
		const file = await kubeconfig({}, { "certificate-authority-data": base64(stranger.cert) });
		await assert.rejects(read(await kubeconfigCredentials(file)), /Cannot reach the API server/);
		await read(
			await kubeconfigCredentials(
				await kubeconfig({}, { "certificate-authority-data": "", "insecure-skip-tls-verify": true }),
			),
		);
	});

	test("connect() names what went wrong: a deadline, a refusal, an answer that is no JSON, one that is too long", async () => {
		const connection = connect(await kubeconfigCredentials(await kubeconfig({})));
		const get = (options = {}): Promise<unknown> => connection.request("GET", "/api/v1/namespaces", options);
		server.fault = () => true;
		await assert.rejects(get({ deadlineMs: 50 }), { failure: "timeout", message: /no answer within 50 ms/ });
		server.fault = (_, response) => {
			response.writeHead(503, { "retry-after": "2" }).end("<h1>\u0007Away</h1>");
			return true;
		};
		await assert.rejects(get(), { status: 503, retryAfterMs: 2000, message: /^HTTP 503 \(a page of HTML: / });
		server.fault = (_, response) => {
			response.end('{"a":');
			return true;
		};
		await assert.rejects(get(), { failure: "malformed" });
		await assert.rejects(get({ limitBytes: 3 }), { failure: "oversized" });
		server.fault = (_, response) => {
			response.writeHead(200, { "content-length": "100" }).write("{");
			setTimeout(() => response.destroy(), 10);
			return true;
		};
		await assert.rejects(get(), { failure: "cut" });
		await connection.stop();
	});

	test("connect() keeps its connections for reads that follow each other", async () => {
		let connections = 0;
		server.onConnection(() => connections++);
		const connection = connect(await kubeconfigCredentials(await kubeconfig({})));
		for (let i = 0; i < 20; i++) {
			await connection.request("GET", "/api/v1/namespaces/a");
		}
		await connection.stop();
		assert.ok(connections <= 2, `${connections} connections were opened`);
	});

	test("connect() sends a read again whose idle connection was closed meanwhile, and nothing else", async () => {
		const connection = connect(await kubeconfigCredentials(await kubeconfig({})));
		let requests = 0;
		server.fault = ({ socket }) => {
			requests++;
			if (requests % 2 === 0) {
				socket.destroy();
			}
			return requests % 2 === 0;
		};
		const path = "/api/v1/namespaces/a";
		await connection.request("GET", path);
		await connection.request("GET", path);
		assert.equal(requests, 3);
		await assert.rejects(connection.request("PATCH", path, { body: {} }), { failure: "cut" });
		assert.equal(requests, 4);
		requests = 1;
		await assert.rejects(connection.request("GET", path), { failure: "cut" });
		assert.equal(requests, 2);
		await connection.stop();
	});

	test("connect() gives up on a server that shakes no hands, and on a refusal that never ends", async () => {
		const deaf = createTcpServer().listen(0, "127.0.0.1");
		await once(deaf, "listening");
		const { port } = deaf.address() as AddressInfo;
		const limits = { connectMs: 100, headersMs: 5000, bodyMs: 100 };
		const silent = { server: `https://127.0.0.1:${port}` };
		const unheard = connect(await kubeconfigCredentials(await kubeconfig({}, silent)), limits);
		await assert.rejects(unheard.request("GET", "/api"), { failure: "timeout" });
		await unheard.stop();
		deaf.close();
		const connection = connect(await kubeconfigCredentials(await kubeconfig({})), limits);
		server.fault = (_, response) => {
			response.writeHead(500).write("wait");
			return true;
		};
		const { signal } = new AbortController();
		await assert.rejects(connection.stream("/api/v1/namespaces", { signal }), { status: 500 });
		await connection.stop();
	});

	test("connect() goes through the proxy that the kubeconfig names, and says when that is away", async () => {
		const tunnels: (string | undefined)[] = [];
		const proxy = createHttpServer().on("connect", (request, socket) => {
			tunnels.push(request.url);
			const upstream = openTcp(server.port, "127.0.0.1", () => {
				socket.write("HTTP/1.1 200 OK\r\n\r\n");
				upstream.pipe(socket).pipe(upstream);
			});
			upstream.on("error", () => socket.destroy());
			socket.on("error", () => upstream.destroy());
		});
		proxy.listen(0, "127.0.0.1");
		await once(proxy, "listening");
		const { port } = proxy.address() as AddressInfo;
		const file = await kubeconfig({}, { "proxy-url": `http://127.0.0.1:${port}` });
		const connection = connect(await kubeconfigCredentials(file), { connectMs: 200, headersMs: 1000 });
		server.fault = undefined;
		await connection.request("GET", "/api/v1/namespaces/a");
		// Longer than a handshake may take: the limit must have been lifted.
		server.fault = (_, response) => {
			setTimeout(() => response.end("{}"), 400);
			return true;
		};
		await connection.request("GET", "/api/v1/namespaces/a");
		assert.deepEqual(tunnels, [`127.0.0.1:${server.port}`]);
		await connection.stop();
		proxy.closeAllConnections();
		proxy.close();
		const without = connect(await kubeconfigCredentials(file));
		await assert.rejects(without.request("GET", "/api"), { failure: "unreachable" });
		await without.stop();
	});
});
