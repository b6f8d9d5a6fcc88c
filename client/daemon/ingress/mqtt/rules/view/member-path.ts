/** Members of JSON by the names that lead to them. */

/** The value; undefined when there is none. */
export function memberAt(value: unknown, names: readonly string[]): unknown {
  let found = value;
  for (const name of names) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

/** A copy with another value at a place that is there. */
export function withMember(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by;
  const members = Object.entries(value as Record<string, unknown>);
  return Object.fromEntries(
    members.map(([key, each]) => [key, key === name ? withMember(each, rest, by) : each]),
  );
}
