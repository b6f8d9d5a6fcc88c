/**
 * Keys of a scenario that are probably misspelt. Keys that are not known are allowed, because others write notes
 * of their own into a scenario; but one that is nearly a known key, where that key is absent, is hardly a note.
 */
import type { z } from "zod";
import { nearestName } from "../../base/error-text.ts";

/** As many letters may be wrong. */
const mostEdits = 2;

type Schema = z.core.JSONSchema.BaseSchema;

export interface MisspeltKey {
  /** Path of the field that holds the key; empty at the top. */
  readonly place: string;
  readonly key: string;
  /** What was probably meant. */
  readonly meant: string;
}

/** All in `value`, in its order. */
export function misspeltKeys(value: unknown, schema: Schema, place = ""): MisspeltKey[] {
  if (Array.isArray(value)) {
    const items = schema.items as Schema | undefined;
    if (items === undefined) return [];
    return value.flatMap((item, index) => misspeltKeys(item, items, within(place, String(index))));
  }
  if (typeof value !== "object" || value === null) return [];
  const known = propertiesOf(schema);
  // Of names that are equally near the absent one is meant.
  const isAbsent = (key: string): boolean => !Object.hasOwn(value, key);
  const names = Object.keys(known).sort((a, b) => Number(isAbsent(b)) - Number(isAbsent(a)));
  return Object.entries(value).flatMap(([key, inner]) => {
    const field = known[key];
    if (field !== undefined) return misspeltKeys(inner, field, within(place, key));
    const meant = nearestName(key, names);
    const isMisspelt = meant !== undefined && meant.edits <= mostEdits && isAbsent(meant.name);
    return isMisspelt ? [{ place, key, meant: meant.name }] : [];
  });
}

/** Of all forms together where the schema allows several. */
function propertiesOf(schema: Schema): Record<string, Schema> {
  const forms = [schema, ...(schema.oneOf ?? schema.anyOf ?? [])];
  return Object.assign({}, ...forms.map(({ properties = {} }) => properties)) as Record<string, Schema>;
}

function within(place: string, key: string): string {
  return place === "" ? key : `${place}.${key}`;
}
