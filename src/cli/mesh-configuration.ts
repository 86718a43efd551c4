import { parse } from "yaml";
import type { Fields } from "../migrate/fields.ts";
import { fieldsOf, textOf, valueAt } from "../migrate/fields.ts";
import type { MeshConfiguration } from "../migrate/input-object.ts";

const istioConfigMap = /^istio(?:-[a-z0-9.-]+)?$/;

/** Where installers keep the mesh configuration: istioctl in an IstioOperator, the Sail operator in an Istio. */
const installers: Readonly<Record<string, readonly string[]>> = {
	IstioOperator: ["spec", "meshConfig"],
	Istio: ["spec", "values", "meshConfig"],
	IstioRevision: ["spec", "values", "meshConfig"],
};

/** The mesh configuration that an object holds: Istio's ConfigMap as YAML (its key `mesh`), installers' own objects. */
export function meshConfigurationOf(object: Fields): MeshConfiguration | undefined {
	const kind = textOf(object.kind) ?? "";
	const name = textOf(fieldsOf(object.metadata).name) ?? "";
	if (kind === "ConfigMap") {
		const text = textOf(fieldsOf(object.data).mesh);
		return text === undefined || !istioConfigMap.test(name)
			? undefined
			: { path: ["data", "mesh"], isText: true, value: parsed(text) };
	}
	const path = Object.hasOwn(installers, kind) ? installers[kind] : undefined;
	return path === undefined || valueAt(object, path) === undefined
		? undefined
		: { path, isText: false, value: fieldsOf(valueAt(object, path)) };
}

function parsed(text: string): Fields {
	try {
		return fieldsOf(parse(text));
	} catch {
		return {};
	}
}
