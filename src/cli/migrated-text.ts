import { isMap, isSeq, stringify } from "yaml";
import type { Path } from "../core/finding.ts";
import { contentOf, kubectlYaml } from "../manifests/kubectl-yaml.ts";
import type { Manifest } from "../manifests/read.ts";
import { fieldsOf } from "../migrate/fields.ts";
import type { Output } from "../migrate/input-object.ts";

/** The text of an object that the migration writes anew. */
export function freshText({ object }: Output): string {
	return stringify(object, { ...kubectlYaml, lineWidth: 0 });
}

// A list whose items stand as far left as its name.
const flush = /^( *)[^\s#-][^\n]*:[ \t]*\n\1- /m;

/** The text of an object that continues one of the input: its comments and its order stay. */
export function continuedText({ document, prefix, source }: Manifest, output: Output): string {
	if (prefix.length > 0 || !isMap(document.contents) || document.contents.flow === true) {
		return freshText(output);
	}
	const copy = document.clone();
	turnInto([], contentOf(copy), output.object);
	return withoutMarkers(
		copy.toString({ lineWidth: 0, flowCollectionPadding: false, indentSeq: !flush.test(source.text) }),
	);

	function turnInto(path: Path, from: unknown, to: unknown): void {
		const node = path.length === 0 ? copy.contents : copy.getIn(path, true);
		if (isMap(node) && typeof to === "object" && to !== null && !Array.isArray(to)) {
			const [before, after] = [fieldsOf(from), fieldsOf(to)];
			for (const field of Object.keys(before).filter((each) => !Object.hasOwn(after, each))) {
				copy.deleteIn([...path, field]);
			}
			for (const [field, value] of Object.entries(after)) {
				turnInto([...path, field], before[field], value);
			}
		} else if (isSeq(node) && Array.isArray(to) && Array.isArray(from) && to.length === from.length) {
			for (const [index, value] of to.entries()) {
				turnInto([...path, index], from[index], value);
			}
		} else if (JSON.stringify(from) !== JSON.stringify(to)) {
			copy.setIn(path, copy.createNode(to));
		}
	}
}

/** The text of an object of the input, with the namespace that kubectl would have filled in. */
export function originalText(manifest: Manifest, namespace: string): string {
	const { object, document, prefix, source } = manifest;
	const written = fieldsOf(fieldsOf(object).metadata).namespace;
	if (prefix.length === 0 && document.range && (namespace === "" || written === namespace)) {
		const text = source.text.slice(document.range[0], document.range[2]);
		return `${withoutMarkers(text).trimEnd()}\n`;
	}
	const metadata = { ...fieldsOf(fieldsOf(object).metadata), ...(namespace === "" ? {} : { namespace }) };
	const whole = { ...fieldsOf(object), metadata };
	return continuedText(manifest, { stage: "1-add", object: whole, purpose: "" });
}

// A file has one object, and what separated it from its neighbours goes.
function withoutMarkers(text: string): string {
	return text.replace(/^(?:%[^\n]*\n)*---[ \t]*\n/, "").replace(/\n\.\.\.[ \t]*\n?$/, "\n");
}
