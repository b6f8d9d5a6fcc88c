/**
 * Finds keys of a scenario that are probably misspelt. Unknown keys are allowed, because users write notes of
 * their own into a scenario. But a key that is close to an absent known key is hardly a note.
 */
import type { z } from "zod";
import { nearestName } from "../../base/error-text.ts";

/** Largest number of wrong letters. */
const mostEdits = 2;

type Schema = z.core.JSONSchema.BaseSchema;

export interface MisspeltKey {
  /** Path of the field that holds the key; empty at the top. */
  readonly place: string;
  readonly key: string;
  /** The key that was probably meant. */
  readonly meant: string;
}

/** All misspelt keys in `value`, in its order. */
export function misspeltKeys(value: unknown, schema: Schema, place = ""): MisspeltKey[] {
  if (Array.isArray(value)) {
    const items = schema.items as Schema | undefined;
    if (items === undefined) return [];
    return value.flatMap((item, index) => misspeltKeys(item, items, within(place, String(index))));
  }
  if (typeof value !== "object" || value === null) return [];
  const known = propertiesOf(schema);
  // Of names that are equally close, an absent one is more likely meant.
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

/** The properties of a schema, or of all its forms together when it allows several. */
function propertiesOf(schema: Schema): Record<string, Schema> {
  const forms = [schema, ...(schema.oneOf ?? schema.anyOf ?? [])];
  return Object.assign({}, ...forms.map(({ properties = {} }) => properties)) as Record<string, Schema>;
}

function within(place: string, key: string): string {
  return place === "" ? key : `${place}.${key}`;
}
