import assert from "node:assert/strict";
import { it } from "node:test";
import type { AnyObject, ServiceEntry, WorkloadEntry } from "../../../src/core/kinds.ts";
import {
	boundEntry,
	exampleService,
	plainEntry,
	teamNamespace,
	withAnnotations,
	withSpec,
} from "../../../src/rules/examples.ts";
import { workloadentryAddress as rule } from "../../../src/rules/policy/workloadentry-address.ts";
import { spots } from "../../support/spots.ts";
import { places } from "../../support/team.ts";

const limited = [
	withAnnotations(teamNamespace, { "egress.waymark.dev/allowed-hosts": "*.example.com, 8.8.8.8" }),
];

function at(address: string | null, given: Parameters<typeof spots>[2] = limited): readonly string[] {
	return spots(rule, { ...rule.docs.good, spec: { address } }, given);
}

it("workloadentry-address accepts machines of one's own network, names of the cluster and what is allowed", () => {
	for (const address of ["10.20.0.7", "fd00::7", "ledger.team.svc", "", null]) {
		assert.deepEqual(at(address), [], String(address));
	}
});

it("workloadentry-address warns of an allowed machine outside, to which a Service could lead past the waypoint", () => {
	for (const address of ["vm.example.com", "8.8.8.8"]) {
		assert.deepEqual(at(address, [teamNamespace]), ["warning spec.address"], address);
	}
});

it("workloadentry-address refuses a machine outside that a Service selects which is not bound", () => {
	const service = (metadata: object, selector: object | undefined): AnyObject =>
		({
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "ledger", namespace: "team", ...metadata },
			spec: { ...(selector === undefined ? {} : { selector }), ports: [{ port: 443 }] },
		}) as AnyObject;
	const app = { app: "ledger" };
	const { labels } = boundEntry.metadata ?? {};
	for (const [what, given, expected] of [
		["unbound", service({}, app), "error spec.address"],
		["opted out", service({ labels: { "istio.io/use-waypoint": "none" } }, app), "error spec.address"],
		["bound", service({ labels }, app), "warning spec.address"],
		["another selector", service({}, { app: "other" }), "warning spec.address"],
		["no selector", service({}, undefined), "warning spec.address"],
	] as const) {
		const machine = { ...rule.docs.good, spec: { address: "vm.example.com", labels: app } };
		assert.deepEqual(spots(rule, machine, [teamNamespace, given]), [expected], what);
	}
	const inside = { ...rule.docs.good, spec: { address: "10.20.0.7", labels: app } };
	assert.deepEqual(spots(rule, inside, [teamNamespace, service({}, app)]), []);
});

it("workloadentry-address refuses denied ranges in every spelling", () => {
	for (const address of [
		"169.254.169.254",
		"::ffff:a9fe:a9fe",
		"64:ff9b::a9fe:a9fe",
		"127.0.0.1",
		"fe80::1%eth0",
	]) {
		assert.ok(at(address).includes("error spec.address"), address);
	}
});

it("workloadentry-address refuses names and sockets, and warns of addresses on the internet", () => {
	assert.deepEqual(at("files.example.org"), ["error spec.address"]);
	assert.deepEqual(at("unix:///run/app.sock"), ["error spec.address"]);
	assert.deepEqual(at("1.1.1.1"), ["warning spec.address"]);
});

it("workloadentry-address asks nothing where nothing is limited, and leaves sidecars their sockets", () => {
	const free = [{ ...teamNamespace, metadata: { name: "team" } }];
	assert.deepEqual(at("files.example.org", free), []);
	assert.deepEqual(at("1.1.1.1", free), []);
	assert.deepEqual(at("unix:///run/app.sock", [{ ...teamNamespace, metadata: { name: "team" } }]), []);
});

it("workloadentry-address refuses ports that would leave and that nobody allows", () => {
	const given = [
		withAnnotations(teamNamespace, { "egress.waymark.dev/allowed-ports": "443/TLS, 8000-8099" }),
	];
	const machine = { ...rule.docs.good, spec: { address: "10.20.0.7", ports: { tls: 22, http: 8080 } } };
	assert.deepEqual(spots(rule, machine, given), ["error spec.ports.tls"]);
});

it("workloadentry-address leaves what the configuration calls internal alone", () => {
	const settings = { internal: { addresses: ["203.0.113.0/24"], hosts: ["corp.example"] } };
	for (const address of ["203.0.113.66", "vm.corp.example"]) {
		const machine = { ...rule.docs.good, spec: { address, ports: { tls: 22 } } };
		assert.deepEqual(places(rule, machine, { given: limited, settings }), []);
	}
});

it("workloadentry-address looks at the entries that the machine would lead out of the cluster", () => {
	const selecting = (spec: object): ServiceEntry =>
		withSpec(plainEntry, {
			hosts: ["ledger.team.svc.cluster.local"],
			location: "MESH_INTERNAL",
			resolution: "STATIC",
			workloadSelector: { labels: { app: "ledger" } },
			...spec,
		});
	const machine = {
		...rule.docs.good,
		spec: { address: "203.0.113.66", labels: { app: "ledger" } },
	};
	const ports = withAnnotations(teamNamespace, { "egress.waymark.dev/allowed-ports": "80/HTTP" });
	const error = ["error spec.address"];
	assert.deepEqual(places(rule, machine, { given: [ports, selecting({})] }), error);
	assert.deepEqual(places(rule, machine, { given: [teamNamespace, selecting({})] }), error);
	const bound = { ...selecting({}), metadata: boundEntry.metadata };
	assert.deepEqual(places(rule, machine, { given: [teamNamespace, bound] }), ["warning spec.address"]);
	const other = selecting({ workloadSelector: { labels: { app: "other" } } });
	assert.deepEqual(places(rule, machine, { given: [ports, other] }), []);
	const inside = { ...machine, spec: { ...machine.spec, address: "10.0.0.1" } };
	assert.deepEqual(places(rule, inside, { given: [ports, selecting({})] }), []);
	const outside = selecting({ hosts: ["db.partner.example"] });
	assert.deepEqual(places(rule, inside, { given: [teamNamespace, outside] }), ["warning spec.address"]);
	assert.deepEqual(
		places(rule, inside, { given: [teamNamespace, { ...outside, metadata: boundEntry.metadata }] }),
		[],
	);
	const settings = { internal: { addresses: ["10.0.0.0/8"] } };
	assert.deepEqual(places(rule, inside, { given: [teamNamespace, outside], settings }), []);
});

it("workloadentry-address refuses a machine that is a Service of another namespace, behind an entry for a host outside", () => {
	const ledger = exampleService("ledger", "bank", "10.96.0.20");
	const own = exampleService("ledger", "team", "10.96.0.21");
	const given = [teamNamespace, ledger, own];
	const selecting = withSpec(boundEntry, {
		resolution: "STATIC",
		workloadSelector: { labels: { app: "ledger" } },
	});
	const machine = (address: string): WorkloadEntry => ({
		...rule.docs.good,
		spec: { address, labels: { app: "ledger" } },
	});
	for (const address of ["10.96.0.20", "ledger.bank.svc.cluster.local", "Ledger.bank.svc"]) {
		assert.deepEqual(spots(rule, machine(address), [...given, selecting]), ["error spec.address"], address);
		assert.deepEqual(spots(rule, machine(address), given), ["warning spec.address"], address);
	}
	for (const address of ["10.96.0.21", "ledger.team.svc.cluster.local", "10.20.0.7"]) {
		assert.deepEqual(spots(rule, machine(address), [...given, selecting]), [], address);
	}
});

it("workloadentry-address warns of a machine in another network, and knows the cluster's own", () => {
	const root: AnyObject = {
		apiVersion: "v1",
		kind: "Namespace",
		metadata: { name: "istio-system", labels: { "topology.istio.io/network": "here" } },
	};
	const machine = (network: string): AnyObject =>
		({ ...rule.docs.good, spec: { address: "10.20.0.7", network } }) as AnyObject;
	const warning = ["warning spec.network"];
	assert.deepEqual(places(rule, machine("far"), { given: [teamNamespace, root] }), warning);
	assert.deepEqual(places(rule, machine("here"), { given: [teamNamespace, root] }), []);
	assert.deepEqual(places(rule, machine(""), { given: [teamNamespace, root] }), []);
});
