/** One thing that is wrong with the configuration file, and where. */
export interface SettingsProblem {
	readonly path: readonly (string | number)[];
	readonly message: string;
}

/** A JSON Schema (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * One row of the configuration: what may be written and how that is read. `read` is given undefined where nothing is
 * written, so that the default stands in the row, too.
 */
export interface Setting<Written, Read> {
	readonly schema: JsonSchema;
	readonly read: (
		written: Written | undefined,
		path: SettingsProblem["path"],
		problems: SettingsProblem[],
	) => Read;
}

/** The rows of a section, by the names of its fields. */
export type Rows<Written, Read> = {
	readonly [Field in keyof Read]: Setting<
		Field extends keyof Written ? NonNullable<Written[Field]> : never,
		Read[Field]
	>;
};

/** A section of the configuration, made of rows; a field that has no row is refused by the schema. */
export function section<Written extends object, Read>(
	rows: Rows<Written, Read>,
	description?: string,
): Setting<Written, Read> {
	const fields = Object.entries<Setting<never, unknown>>(rows);
	return {
		schema: {
			...(description === undefined ? {} : { description }),
			type: "object",
			additionalProperties: false,
			properties: Object.fromEntries(fields.map(([field, { schema }]) => [field, schema])),
		},
		read: (written, path, problems) =>
			Object.fromEntries(
				fields.map(([field, { read }]) => [
					field,
					read((written as Readonly<Record<string, never>> | undefined)?.[field], [...path, field], problems),
				]),
			) as Read,
	};
}

/** A row that is undefined where nothing is written. */
export function optional<Written, Read>({
	schema,
	read,
}: Setting<Written, Read>): Setting<Written, Read | undefined> {
	return {
		schema,
		read: (written, path, problems) => (written === undefined ? undefined : read(written, path, problems)),
	};
}

/** A word of a list. */
export function oneOf<T extends string, Fallback>(
	words: readonly T[],
	fallback: Fallback,
	description: string,
): Setting<string, T | Fallback> {
	return {
		schema: { enum: words, description },
		read: (written, path, problems) => {
			const found = words.find((word) => word === written);
			if (written !== undefined && found === undefined) {
				problems.push({ path, message: `must be one of ${words.join(", ")}` });
			}
			return found ?? fallback;
		},
	};
}

/** A text that is parsed; undefined where nothing is written or it cannot be read. */
export function parsed<T>(
	schema: JsonSchema,
	parse: (text: string) => T | undefined,
	form: string,
): Setting<string, T | undefined> {
	return {
		schema,
		read: (written, path, problems) => {
			const value = written === undefined ? undefined : parse(written);
			if (written !== undefined && value === undefined) {
				problems.push({ path, message: form });
			}
			return value;
		},
	};
}

/** A list whose items are parsed one by one; each that cannot be read is a problem of its own. */
export function parsedList<Item extends string | number, T>(
	schema: JsonSchema,
	parse: (text: string) => T | undefined,
	form: string,
): Setting<readonly Item[], readonly T[]> {
	return {
		schema,
		read: (written, path, problems) =>
			(written ?? []).flatMap((item, index): readonly T[] => {
				const value = parse(String(item));
				if (value === undefined) {
					problems.push({ path: [...path, index], message: form });
					return [];
				}
				return [value];
			}),
	};
}

/** A value that the schema alone holds to its form. */
export function plain<Written, Read>(
	schema: JsonSchema,
	convert: (written: Written | undefined) => Read,
): Setting<Written, Read> {
	return { schema, read: (written) => convert(written) };
}
