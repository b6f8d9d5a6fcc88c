/** How far apart two names are, and which known name a misspelt one probably means. */

/** The fewest letters to insert, remove or replace that make one of the other (Levenshtein 1966). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** The known name with the fewest edits to the given one, of equal ones the first; undefined when none is known. */
export function nearestName(
  name: string,
  known: readonly string[],
): { readonly name: string; readonly edits: number } | undefined {
  const byEdits = known.map((candidate) => ({ name: candidate, edits: editDistance(name, candidate) }));
  return byEdits.toSorted((a, b) => a.edits - b.edits)[0];
}

/** Such as `; did you mean "port"?`, for the end of a message; empty when no name is known. */
export function didYouMean(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)?.name;
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}
