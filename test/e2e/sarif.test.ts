import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv } from "ajv";
import { runVerb, temporaryFolder } from "../support/run-verb.ts";
import { sarifSchema } from "./sarif-schema.ts";

const folder = temporaryFolder();

// The schema is of draft 4, whose words ajv knows but for the schema's own name.
const { id, $schema, ...schema } = await sarifSchema();
const validate = new Ajv({
	strict: false,
	formats: { uri: /^[a-z][a-z+.-]*:/, "uri-reference": /^\S*$/, "date-time": /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ },
}).compile(schema);

async function lintAsSarif(...argv: readonly string[]): Promise<unknown> {
	return JSON.parse((await runVerb("lint", "--output", "sarif", ...argv)).out);
}

function entry(name: string, spec: string): string {
	return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec: ${spec}
---
`;
}

const fixable = `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {istio.io/dataplane-mode: ambient}
  annotations: {egress.waymark.dev/waypoint: istio-egress/egress}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress, namespace: istio-egress}
spec:
  gatewayClassName: istio-waypoint
  listeners:
  - {name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}
---
${entry("one", "{hosts: [api.one.example], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}")}`;

const inputs: Readonly<Record<string, readonly string[]>> = {
	"of the examples and the old way": ["examples", "docs/try", "--assume", "ambient=enforced"],
	"with fixes": [folder.write("fixable.yaml", fixable)],
	"with unreadable input": [
		folder.write("a folder/un readable.yaml", "a: [\n"),
		folder.write("types.yaml", entry("bad", "{hosts: 7}").replace("ServiceEntry", "VirtualService")),
	],
	"of nothing": [folder.write("nothing.yaml", "")],
};

for (const [name, argv] of Object.entries(inputs)) {
	test(`lint --output sarif is valid by the schema of OASIS: a report ${name}`, async () => {
		assert.ok(validate(await lintAsSarif(...argv)), JSON.stringify(validate.errors, undefined, 2));
	});
}

test("the schema of OASIS, as it is read here, refuses a report that is wrong", async () => {
	const [, examples = []] = Object.entries(inputs)[0] ?? [];
	const report = (await lintAsSarif(...examples)) as { runs: [{ results: [Record<string, unknown>] }] };
	report.runs[0].results[0].level = "fatal";
	assert.equal(validate(report), false);
	assert.equal(
		id,
		"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
	);
	assert.match(String($schema), /draft-04/);
});
