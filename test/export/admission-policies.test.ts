import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SettingsFile } from "../../src/core/settings.ts";
import { defaultSettings, parseSettings } from "../../src/core/settings.ts";
import type { BackstopChoice } from "../../src/export/admission-policies.ts";
import { backstop } from "../../src/export/admission-policies.ts";
import type { BackstopOptions } from "../../src/export/policy-objects.ts";
import { rules } from "../../src/rules/table.ts";

const options: BackstopOptions = {
	settings: defaultSettings,
	rules,
	exempt: ["waymark-system"],
	labels: {},
	actions: ["deny"],
	editors: "settings",
	istioNamespace: "istio-system",
	account: "system:serviceaccount:waymark-system:waymark",
};
const all: BackstopChoice = { kubernetesMinor: 36, inject: true, live: true, staticManifests: false };

const names = (given: Partial<BackstopOptions>, choice: Partial<BackstopChoice>): readonly string[] =>
	backstop({ ...options, ...given }, { ...all, ...choice }).map(
		({ kind, metadata }) => `${kind} ${metadata.name}`,
	);

const policiesOf = (given: Partial<BackstopOptions> = {}, choice: Partial<BackstopChoice> = {}): string =>
	JSON.stringify(backstop({ ...options, ...given }, { ...all, ...choice }));

describe("backstop", () => {
	it("prints each policy with its binding, and the table only where it is live", () => {
		const printed = names({}, {});
		for (const name of [
			"waymark",
			"waymark-updates",
			"waymark-sidecar",
			"waymark-mesh",
			"waymark-mesh-sidecar",
			"waymark-namespaces",
			"waymark-status",
			"waymark-table",
		]) {
			assert.ok(printed.includes(`ValidatingAdmissionPolicy ${name}`), name);
			assert.ok(printed.includes(`ValidatingAdmissionPolicyBinding ${name}`), name);
		}
		assert.ok(printed.includes("CustomResourceDefinition meshtables.egress.waymark.dev"));
		assert.deepEqual(
			names({}, { live: false }).filter((name) => /mesh|table/.test(name)),
			[],
		);
	});

	it("guards the AuthorizationPolicies that are kept where reach is enforced, and nowhere else", () => {
		const guard = "ValidatingAdmissionPolicy waymark-reach";
		assert.ok(!names({}, {}).includes(guard));
		const { settings } = parseSettings({ reach: "enforce" });
		assert.ok(names({ settings }, {}).includes(guard));
	});

	it("gives no parameter to what must hold, and lets what has one fail open", () => {
		for (const { kind, metadata, spec } of backstop(options, all)) {
			if (kind === "ValidatingAdmissionPolicy") {
				const { failurePolicy, paramKind } = spec as { failurePolicy: string; paramKind?: object };
				const isOfTable = metadata.name.startsWith("waymark-mesh");
				assert.equal(failurePolicy, isOfTable ? "Ignore" : "Fail", metadata.name);
				assert.equal(paramKind !== undefined, isOfTable, metadata.name);
			}
		}
	});

	it("injects from Kubernetes 1.34 on, by the version that each has", () => {
		const version = (kubernetesMinor: number): unknown =>
			backstop(options, { ...all, kubernetesMinor }).find(({ kind }) => kind === "MutatingAdmissionPolicy")
				?.apiVersion;
		assert.equal(version(36), "admissionregistration.k8s.io/v1");
		assert.equal(version(35), "admissionregistration.k8s.io/v1beta1");
		assert.equal(version(33), undefined);
	});

	it("asks Kubernetes 1.30 for nothing that only 1.31 takes in new policies", () => {
		const { settings } = parseSettings({ internal: { addresses: ["10.0.0.0/8"] } });
		const text = policiesOf({ settings }, { kubernetesMinor: 30, inject: false });
		assert.doesNotMatch(text, /isIP\(|isCIDR\(|cidr\(|serviceentry-policy-address: /);
		assert.match(policiesOf({ settings }, { kubernetesMinor: 31 }), /cidr\(.*serviceentry-policy-address: /);
	});

	it("names what is for files as files must, in bindings too", () => {
		const files = { ...all, live: false, staticManifests: true };
		const refusing = backstop(options, { ...files, inject: false });
		const adding = backstop(options, files);
		assert.ok(refusing.every(({ kind }) => kind.startsWith("Validating")));
		assert.ok(adding.length === 2 && adding.every(({ kind }) => kind.startsWith("Mutating")));
		for (const { kind, metadata, spec } of [...refusing, ...adding]) {
			assert.ok(metadata.name.endsWith(".static.k8s.io"), metadata.name);
			if (kind.endsWith("Binding")) {
				assert.equal((spec as { policyName: string }).policyName, metadata.name);
			}
		}
	});

	it("prints policies of their own for the modes that only warn and record", () => {
		const printed = names({ actions: ["deny", "warn", "audit"] }, { live: false });
		assert.ok(printed.includes("ValidatingAdmissionPolicy waymark-warn"));
		assert.ok(printed.includes("ValidatingAdmissionPolicy waymark-sidecar-audit"));
	});

	it("leaves out a rule that the configuration turns off or makes a warning", () => {
		const settings = parseSettings({
			severities: { "serviceentry-port-udp": "warning", "serviceentry-managed-label": "off" },
		}).settings;
		assert.ok(policiesOf().includes("serviceentry-port-udp"));
		assert.ok(!policiesOf({ settings }, { live: false }).includes("serviceentry-port-udp: "));
		assert.ok(!policiesOf({ settings }, { live: false }).includes("serviceentry-managed-label: "));
	});

	it("says the configuration's limits and defaults as constants, safe from what stands in them", () => {
		const { settings } = parseSettings({
			defaults: { waypoint: "istio-egress/egress" },
			limits: { allowedHosts: ["*.example.com"], allowedPorts: ["443/TLS"] },
			egressGateways: { services: ["it's"], labels: [{ "a'b": "c" }] },
			clusterDomain: "corp.local",
			exemptNamespaces: ["legacy"],
		});
		const text = policiesOf({ settings });
		for (const part of [
			"' *.example.com '",
			"'from': dyn(443)",
			"istio-egress/egress",
			"it\\\\'s",
			".corp.local",
			"legacy",
		]) {
			assert.ok(text.includes(part), part);
		}
	});

	it("asks RBAC who may edit policies, or the configuration's list, or nobody", () => {
		const { settings } = parseSettings({ policyEditors: { groups: ["security"] } });
		assert.ok(policiesOf({ editors: "rbac" }).includes("authorizer.group('egress.waymark.dev')"));
		assert.ok(policiesOf({ settings }).includes("g in ['security']"));
		assert.ok(!policiesOf().includes("authorizer"));
	});

	it("guards labels where there are editors and the rule is an error, and else leaves them to whoever may write them", () => {
		const policyEditors = { groups: ["security"] };
		const printed = (file: SettingsFile): string =>
			policiesOf({ settings: parseSettings(file).settings }, { live: false });
		assert.match(printed({ policyEditors }), /variables\.relabelled/);
		for (const file of [{}, { policyEditors, severities: { "namespace-label": "warning" } }] as const) {
			assert.doesNotMatch(printed(file), /variables\.relabelled/);
		}
	});

	it("lets those create who restore from backups, where the configuration names some", () => {
		const { settings } = parseSettings({ restorers: { users: ["system:serviceaccount:velero:velero"] } });
		const condition =
			"request.operation != 'CREATE' || !(request.userInfo.username in ['system:serviceaccount:velero:velero']";
		assert.equal(policiesOf({ settings }).split(condition).length - 1 > 2, true);
		assert.ok(!policiesOf().includes("not-restored"));
	});

	it("does not judge the namespaces of Kubernetes, of Waymark and of the configuration", () => {
		assert.ok(
			policiesOf().includes('"values":["kube-system","kube-public","kube-node-lease","waymark-system"]'),
		);
	});
});
