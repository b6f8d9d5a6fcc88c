/** The cheapest way to cut a sequence into runs of neighbours, by dynamic programming over its prefixes. */

export type Partition<Group> =
  | { readonly kind: "found"; readonly groups: readonly Group[]; readonly costPerS: number }
  /** No run that ends with the item at that index has a group. */
  | { readonly kind: "none"; readonly index: number };

/**
 * @param groupOf the group of a run; undefined when there is none
 *
 * @example When a run of n items costs n²:
 * const partition = cheapestPartition(["a", "b"], (run) => ({ run, costPerS: run.length ** 2 }));
 * // { kind: "found", costPerS: 2, groups: [{ run: ["a"], costPerS: 1 }, { run: ["b"], costPerS: 1 }] }
 */
export function cheapestPartition<Item, Group extends { readonly costPerS: number }>(
  items: readonly Item[],
  groupOf: (run: readonly Item[]) => Group | undefined,
): Partition<Group> {
  interface Prefix {
    readonly costPerS: number;
    readonly groups: readonly Group[];
  }
  // best[i]: the cheapest groups of the first i items.
  const best: Prefix[] = [{ costPerS: 0, groups: [] }];
  for (let end = 1; end <= items.length; end++) {
    let cheapest: Prefix | undefined;
    for (let start = 0; start < end; start++) {
      const group = groupOf(items.slice(start, end));
      const before = best[start];
      if (group === undefined || before === undefined) continue;
      const costPerS = before.costPerS + group.costPerS;
      if (cheapest === undefined || costPerS < cheapest.costPerS) {
        cheapest = { costPerS, groups: [...before.groups, group] };
      }
    }
    if (cheapest === undefined) return { kind: "none", index: end - 1 };
    best.push(cheapest);
  }
  return { kind: "found", ...(best[items.length] as Prefix) };
}
