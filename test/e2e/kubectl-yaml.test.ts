import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
	configMapWith,
	kubectlObjects,
	kubectlReadings,
	kubectlRefusals,
	kubectlRefusedObjects,
} from "../support/kubectl-readings.ts";
import { useControlPlane } from "./shared.ts";

const plane = await useControlPlane();

/** What kubectl itself makes of a manifest, without a server: `annotate --local` prints it as JSON. */
function readByKubectl(text: string): ReturnType<typeof plane.kubectl> {
	return plane.kubectl(["annotate", "--local", "-f", "-", "-o", "json", "seen=yes"], { stdin: text });
}

describe("the table of what kubectl reads", () => {
	test("is what kubectl reads", async () => {
		for (const [written, read] of kubectlReadings) {
			const { stdout, stderr } = await readByKubectl(configMapWith(written));
			assert.deepEqual((JSON.parse(stdout) as { value: unknown }).value, read, `${written}: ${stderr}`);
		}
	});

	test("names the objects of a file that kubectl reads", async () => {
		for (const [what, text, read] of kubectlObjects) {
			const { stdout, stderr } = await plane.kubectl(
				["annotate", "--local", "-f", "-", "-o", "jsonpath={.kind}/{.metadata.name} ", "seen=yes"],
				{ stdin: text },
			);
			const found = stdout.split(" ").filter((each) => each !== "");
			assert.deepEqual(found, read, `${what}: ${stderr}`);
		}
		for (const [what, text] of kubectlRefusedObjects) {
			const { code, stdout } = await readByKubectl(text);
			assert.notEqual(code, 0, `${what}: ${stdout}`);
		}
	});

	test("is what kubectl refuses", async () => {
		for (const written of kubectlRefusals) {
			const { code, stdout } = await readByKubectl(configMapWith(written));
			assert.notEqual(code, 0, `${written}: ${stdout}`);
		}
	});
});
