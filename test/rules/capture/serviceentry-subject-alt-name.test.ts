import assert from "node:assert/strict";
import { it } from "node:test";
import { serviceentrySubjectAltName } from "../../../src/rules/capture/serviceentry-subject-alt-name.ts";
import { plainEntry, withSpec } from "../../../src/rules/examples.ts";
import { spots } from "../../support/spots.ts";

it("serviceentry-subject-alt-name is silent where no waypoint is wanted", () => {
	assert.deepEqual(spots(serviceentrySubjectAltName, withSpec(plainEntry, { subjectAltNames: ["a"] })), []);
});
