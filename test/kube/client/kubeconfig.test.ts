import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { stringify } from "yaml";
import { contextCredentials } from "../../../src/kube/client/credentials.ts";
import type { ChosenContext } from "../../../src/kube/client/kubeconfig.ts";
import { readContext } from "../../../src/kube/client/kubeconfig.ts";
import { temporaryFolder } from "../../support/run-verb.ts";

const folder = temporaryFolder();

interface Part {
	readonly current?: string;
	readonly contexts?: Readonly<Record<string, object>>;
	readonly clusters?: Readonly<Record<string, object>>;
	readonly users?: Readonly<Record<string, object>>;
}

function file(name: string, { current, contexts = {}, clusters = {}, users = {} }: Part): string {
	const list = (field: string, entries: Readonly<Record<string, object>>): object[] =>
		Object.entries(entries).map(([key, value]) => ({ name: key, [field]: value }));
	return folder.write(
		name,
		stringify({
			apiVersion: "v1",
			kind: "Config",
			...(current === undefined ? {} : { "current-context": current }),
			contexts: list("context", contexts),
			clusters: list("cluster", clusters),
			users: list("user", users),
		}),
	);
}

async function choose(files: readonly string[], context?: string): Promise<ChosenContext> {
	const chosen = await readContext({ files, mustExist: false, context });
	assert.ok(chosen !== undefined);
	return chosen;
}

describe("readContext()", () => {
	const first = file("first/config", {
		contexts: { one: { cluster: "c", user: "u", namespace: "shop" } },
		clusters: { c: { server: "https://first.example:6443" } },
		users: { u: { token: "first" } },
	});
	const second = file("second/config", {
		current: "two",
		contexts: { one: { cluster: "d", user: "v" }, two: { cluster: "c", user: "v" } },
		clusters: { c: { server: "https://second.example" }, d: { server: "https://d.example" } },
		users: { u: { token: "second", as: "somebody" }, v: { tokenFile: "token" } },
	});
	const third = file("third/config", { current: "one" });

	test("lets the first file that names a context, a cluster or a user have it whole", async () => {
		const { server, user, namespace } = await choose([first, second], "one");
		assert.deepEqual(
			[server.href, user.value, namespace],
			["https://first.example:6443/", { token: "first" }, "shop"],
		);
	});

	test("takes the first current-context that a file names, and parts of one context from several files", async () => {
		const { server, user } = await choose([first, second, third]);
		assert.equal(server.href, "https://first.example:6443/");
		assert.deepEqual(user.value, { tokenFile: "token" });
	});

	test("lets relative paths start at the file that they stand in", async () => {
		folder.write("second/token", "beside\n");
		const { headers } = await contextCredentials(await choose([first, second], "two")).current();
		assert.equal(headers.authorization, "Bearer beside");
	});

	test("leaves out files of a list that are not there, and is undefined when none is", async () => {
		const missing = join(folder.path, "missing");
		assert.equal((await choose([missing, "", second])).server.href, "https://second.example/");
		assert.equal(await readContext({ files: [missing], mustExist: false, context: undefined }), undefined);
	});

	test("lets a file that was asked for by name not be missing", async () => {
		await assert.rejects(
			readContext({ files: [join(folder.path, "missing")], mustExist: true, context: undefined }),
			/^Error: Cannot read kubeconfig .*missing: ENOENT/,
		);
	});

	test("names the contexts that there are when the one that was asked for is none of them", async () => {
		await assert.rejects(
			choose([first, second], "three"),
			/context "three" names no cluster with a server; there is "one", "two"$/,
		);
	});

	test("says that the user of a context is not there", async () => {
		const path = file("lost", {
			current: "x",
			contexts: { x: { cluster: "c", user: "u" } },
			clusters: { c: { server: "https://host" } },
		});
		await assert.rejects(choose([path]), /context "x" names user "u", which is not there$/);
	});

	test("takes a server without a scheme as client-go does, and says of a text that it is no URL", async () => {
		const bare = (cluster: object): string =>
			file("bare", { current: "x", contexts: { x: { cluster: "c" } }, clusters: { c: cluster } });
		assert.equal((await choose([bare({ server: "host:6443" })])).server.href, "http://host:6443/");
		const trusted = { server: "host:6443", "insecure-skip-tls-verify": true };
		assert.equal((await choose([bare(trusted)])).server.href, "https://host:6443/");
		await assert.rejects(choose([bare({ server: "https://a b" })]), /server "https:\/\/a b" is no URL/);
	});

	test("says in one line what is wrong with files whose fields are something else than they should be", async () => {
		for (const text of ["[]", "contexts: here", "contexts: [null, {name: 1}]\nclusters: {a: b}", "''"]) {
			await assert.rejects(
				choose([folder.write("odd", text)]),
				/^Error: Cannot use kubeconfig .*odd: context "" names no cluster with a server$/,
			);
		}
	});
});

describe("contextCredentials()", () => {
	test("ask to be whom they are told, instead of whom the kubeconfig names", async () => {
		const path = file("as", {
			current: "x",
			contexts: { x: { cluster: "c", user: "u" } },
			clusters: { c: { server: "https://host" } },
			users: { u: { token: "t", as: "named", "as-groups": ["g"] } },
		});
		const chosen = await choose([path]);
		const named = await contextCredentials(chosen).current();
		assert.deepEqual(named.headers["impersonate-user"], "named");
		const asked = contextCredentials(chosen, { impersonation: { user: "jane", groups: ["dev", "ops"] } });
		assert.deepEqual((await asked.current()).headers, {
			authorization: "Bearer t",
			"impersonate-user": "jane",
			"impersonate-group": ["dev", "ops"],
		});
	});

	test("go through the proxy of the environment where the kubeconfig names none", async () => {
		const proxied = (cluster: object): string =>
			file("proxied", {
				current: "x",
				contexts: { x: { cluster: "c" } },
				clusters: { c: { server: "https://api.example", ...cluster } },
			});
		const environment = { HTTPS_PROXY: "http://proxy.example:3128" };
		const proxyOf = async (path: string): Promise<string | undefined> =>
			(await contextCredentials(await choose([path]), { environment }).current()).proxy;
		assert.equal(await proxyOf(proxied({})), "http://proxy.example:3128");
		assert.equal(await proxyOf(proxied({ "proxy-url": "http://own.example:1" })), "http://own.example:1");
	});
});
