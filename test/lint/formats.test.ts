import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { formatJson } from "../../src/lint/format/json.ts";
import { formatSarif } from "../../src/lint/format/sarif.ts";
import { formatText } from "../../src/lint/format/text.ts";
import type { LintReport } from "../../src/lint/report.ts";
import { rules } from "../../src/rules/table.ts";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";
import { parseXml } from "../support/xml.ts";

const folder = temporaryFolder();
const gateway = (name: string): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: shop}
spec:
  selector: {istio: egressgateway}
`;
const limited = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: limited
  namespace: shop
spec:
  host: api.example.com
  workloadSelector:
    matchLabels:
      istio: egressgateway
`;
const ingress = gateway("public").replace("egress", "ingress");
const ignored = gateway("old").replace(
	"spec:",
	"# waymark:ignore istiogateway-egress-selector moves in May\nspec:",
);
const file = folder.write(
	"a,b:%.yaml",
	[gateway("out"), limited, ingress, ignored, "kind: [x\n"].join("---\n"),
);

async function lintAs(output: string): Promise<string> {
	const { out } = await runVerb("lint", "--assume", "ambient=enforced", "--output", output, file);
	return out;
}

describe("waymark lint --output sarif", () => {
	const region = {
		type: "object",
		required: ["startLine"],
		additionalProperties: false,
		properties: {
			startLine: { type: "integer", minimum: 1 },
			startColumn: { type: "integer", minimum: 1 },
			endLine: { type: "integer", minimum: 1 },
			endColumn: { type: "integer", minimum: 1 },
		},
	};
	const text = { type: "object", required: ["text"], properties: { text: { type: "string", minLength: 1 } } };
	const artifact = {
		type: "object",
		required: ["uri"],
		additionalProperties: false,
		properties: { uri: { type: "string", format: "uri-reference" } },
	};
	const location = {
		type: "object",
		required: ["physicalLocation"],
		properties: {
			physicalLocation: {
				type: "object",
				required: ["artifactLocation", "region"],
				properties: { artifactLocation: artifact, region },
			},
			logicalLocations: { type: "array", items: { type: "object", required: ["fullyQualifiedName"] } },
		},
	};
	const levels = { enum: ["none", "note", "warning", "error"] };
	// The parts of the official sarif-schema-2.1.0.json that apply to what Waymark writes, with its property names.
	const schema = {
		type: "object",
		required: ["version", "runs"],
		additionalProperties: false,
		properties: {
			$schema: { type: "string" },
			version: { const: "2.1.0" },
			runs: {
				type: "array",
				items: {
					type: "object",
					required: ["tool", "results"],
					additionalProperties: false,
					properties: {
						tool: {
							type: "object",
							required: ["driver"],
							properties: {
								driver: {
									type: "object",
									required: ["name"],
									additionalProperties: false,
									properties: {
										name: { type: "string" },
										semanticVersion: { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+" },
										informationUri: { type: "string", format: "uri" },
										rules: {
											type: "array",
											uniqueItems: true,
											items: {
												type: "object",
												required: ["id"],
												additionalProperties: false,
												properties: {
													id: { type: "string" },
													shortDescription: text,
													fullDescription: text,
													help: text,
													helpUri: { type: "string", format: "uri" },
													defaultConfiguration: {
														type: "object",
														properties: { level: levels },
													},
													properties: { type: "object" },
												},
											},
										},
									},
								},
							},
						},
						columnKind: { enum: ["utf16CodeUnits", "unicodeCodePoints"] },
						invocations: {
							type: "array",
							items: {
								type: "object",
								required: ["executionSuccessful"],
								properties: {
									executionSuccessful: { type: "boolean" },
									toolExecutionNotifications: {
										type: "array",
										items: {
											type: "object",
											required: ["message"],
											properties: {
												message: text,
												level: levels,
												locations: { type: "array", items: location },
											},
										},
									},
								},
							},
						},
						results: {
							type: "array",
							items: {
								type: "object",
								required: ["message"],
								additionalProperties: false,
								properties: {
									ruleId: { type: "string" },
									ruleIndex: { type: "integer", minimum: 0 },
									level: levels,
									message: text,
									locations: { type: "array", items: location },
									partialFingerprints: { type: "object", additionalProperties: { type: "string" } },
									suppressions: {
										type: "array",
										items: {
											type: "object",
											required: ["kind"],
											properties: {
												kind: { enum: ["inSource", "external"] },
												justification: { type: "string" },
											},
										},
									},
									fixes: {
										type: "array",
										items: {
											type: "object",
											required: ["artifactChanges"],
											properties: {
												description: text,
												artifactChanges: {
													type: "array",
													minItems: 1,
													items: {
														type: "object",
														required: ["artifactLocation", "replacements"],
														properties: {
															artifactLocation: artifact,
															replacements: {
																type: "array",
																minItems: 1,
																items: {
																	type: "object",
																	required: ["deletedRegion"],
																	additionalProperties: false,
																	properties: {
																		deletedRegion: region,
																		insertedContent: { type: "object" },
																	},
																},
															},
														},
													},
												},
											},
										},
									},
								},
							},
						},
					},
				},
			},
		},
	};

	it("has the structure of SARIF 2.1.0", async () => {
		const validate = new Ajv2020({
			strict: false,
			formats: { uri: /^https?:/, "uri-reference": /^[^\s]+$/ },
		}).compile(schema);
		assert.ok(validate(JSON.parse(await lintAs("sarif"))), JSON.stringify(validate.errors));
	});

	it("describes every rule, points at it, and offers the fix, the fingerprint and the suppression", async () => {
		const [run] = JSON.parse(await lintAs("sarif")).runs;
		assert.equal(run.tool.driver.rules.length, rules.length);
		const [first, second, third] = run.results;
		assert.equal(run.tool.driver.rules[first.ruleIndex].id, first.ruleId);
		assert.equal(first.locations[0].physicalLocation.region.startLine, 5);
		assert.equal(second.ruleId, "destinationrule-egress-workload");
		assert.deepEqual(third.suppressions, [{ kind: "inSource", justification: "moves in May" }]);
		const prints = run.results.map((each: { partialFingerprints: object }) =>
			JSON.stringify(each.partialFingerprints),
		);
		assert.equal(new Set(prints).size, prints.length);
		assert.equal(run.invocations[0].executionSuccessful, false);
	});
});

describe("waymark lint --output sarif, for a finding that can be fixed", () => {
	it("offers the labels as an insertion", async () => {
		const world = `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  annotations: {egress.waymark.dev/waypoint: istio-egress/egress}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress, namespace: istio-egress}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: payments
  namespace: shop
spec:
  hosts: [api.payments.example]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
`;
		const entry = folder.write("entry.yaml", world);
		const { out } = await runVerb("lint", "--output", "sarif", entry);
		const [result] = JSON.parse(out).runs[0].results;
		assert.equal(result.ruleId, "serviceentry-waypoint-binding");
		const [{ deletedRegion, insertedContent }] = result.fixes[0].artifactChanges[0].replacements;
		assert.deepEqual(deletedRegion, { startLine: 19, startColumn: 1, endLine: 19, endColumn: 1 });
		assert.match(insertedContent.text, /^ {2}labels:\n {4}istio\.io\/use-waypoint: egress\n/);
	});
});

describe("waymark lint --output junit", () => {
	it("has the structure of the JUnit schema: suites, counted tests, failures, errors", async () => {
		const document = parseXml(await lintAs("junit"));
		assert.equal(document.name, "testsuites");
		const [suite] = document.children;
		assert.deepEqual(
			["name", "timestamp", "hostname", "tests", "failures", "errors", "time", "id", "package"],
			Object.keys(suite?.attributes ?? {}),
		);
		assert.equal(suite?.attributes.tests, "5");
		assert.equal(suite?.attributes.failures, "2");
		assert.equal(suite?.attributes.errors, "1");
		assert.match(suite?.attributes.timestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
		const names = suite?.children.map((child) => child.name) ?? [];
		assert.deepEqual(names, [
			"properties",
			...Array.from({ length: 5 }, () => "testcase"),
			"system-out",
			"system-err",
		]);
		const failure = suite?.children[1]?.children[0];
		assert.equal(failure?.name, "failure");
		assert.equal(failure?.attributes.type, "istiogateway-egress-selector");
		assert.match(failure?.attributes.message ?? "", /^spec\.selector\.istio: Selects/);
	});

	it("escapes what XML does not allow", async () => {
		const odd = folder.write("odd.yaml", gateway('"a<&\\u0001>"'));
		const { out } = await runVerb("lint", "--assume", "ambient=enforced", "--output", "junit", odd);
		const title = parseXml(out).children[0]?.children[1]?.attributes.name;
		assert.equal(title, "Gateway shop/a<&\u{FFFD}>");
	});
});

describe("waymark lint --output github", () => {
	it("writes one command for each finding, escaped as the runner wants it", async () => {
		const lines = (await lintAs("github")).trimEnd().split("\n");
		assert.equal(lines.length, 4);
		const path = file.replaceAll("%", "%25").replaceAll(":", "%3A").replaceAll(",", "%2C");
		assert.ok(
			lines[0]?.startsWith(
				`::error file=${path},line=5,col=14,title=istiogateway-egress-selector::spec.selector.istio: `,
			),
			lines[0],
		);
		assert.match(lines[0] ?? "", /%0ADelete this Gateway/);
		assert.match(lines[2] ?? "", /title=unreadable::/);
		assert.match(lines[3] ?? "", /^::notice .*title=note::Judged by the defaults/);
	});
});

describe("waymark lint --output text", () => {
	it("ends with what was counted", async () => {
		const text = await lintAs("text");
		assert.match(text, /2 errors, 0 warnings, 1 ignored, 1 unreadable; 4 of 4 objects judged\n$/);
		assert.match(text, /:5:14 {2}error {2}istiogateway-egress-selector\n {4}spec\.selector\.istio: Selects/);
		assert.ok(!text.includes("\u001b"), "no colour without a terminal");
	});
});

describe("A report of a cluster that has a name", () => {
	const report: LintReport = {
		version: 1,
		cluster: "eu-1",
		summary: { documents: 2, judged: 1, errors: 0, warnings: 0, infos: 0, ignored: 0 },
		findings: [],
		ignored: [],
		skipped: [],
		unreadable: [],
		notes: [],
	};
	const result = { report, judged: [], sources: new Map(), fixes: new Map() };

	it("says it in text, in JSON and in SARIF", () => {
		assert.match(
			formatText(result, { colour: false, width: 80 }),
			/1 of 2 objects judged in cluster eu-1\n$/,
		);
		assert.equal((JSON.parse(formatJson(result)) as LintReport).cluster, "eu-1");
		const sarif = formatSarif(result, { rules: [], version: "0.0.0", settings: { links: undefined } });
		const { runs } = JSON.parse(sarif) as {
			readonly runs: readonly { readonly automationDetails?: { readonly id: string } }[];
		};
		assert.equal(runs[0]?.automationDetails?.id, "waymark/eu-1/");
	});
});
