/**
 * The edges as the configuration file lists them, while the queue runs: those that it lists anew are added, those that it
 * lists no longer are removed. Edges that were added on request stay. A list that cannot be used changes nothing.
 */
import { UsageError } from "../../../base/usage-error.ts";
import { edgeIn } from "../edge-address.ts";
import type { DaemonEdge } from "./edge-list.ts";
import { mostEdges, type TargetChanges, type WantedEdge } from "./target-changes.ts";

export type FollowedTargets = Pick<TargetChanges, "add" | "remove" | "checked" | "ofOptions" | "listed">;

interface Added {
  readonly wanted: WantedEdge;
  /** Is removed when the other one is used. */
  replaces: DaemonEdge | undefined;
}

/**
 * Makes the edges those of the list. An edge whose name or address has changed is replaced once the new one was measured,
 * and the last target there is once another one was.
 *
 * @param listed each a URL or NAME=URL
 * @throws UsageError when the list as a whole cannot be used
 */
export function followList(targets: FollowedTargets, listed: readonly string[]): void {
  const gone = [...targets.ofOptions];
  const stays = (wanted: WantedEdge): boolean => {
    const at = gone.findIndex(
      ({ name, url }) => url === wanted.url && (wanted.name === undefined || name === wanted.name),
    );
    if (at !== -1) gone.splice(at, 1);
    return at !== -1;
  };
  const all = listed.map((text): WantedEdge => edgeIn(text));
  refuseTwice(all.map(({ name }) => name).filter((name) => name !== undefined));
  refuseTwice(all.map(({ url }) => url));
  const added = all
    .filter((wanted) => !stays(wanted))
    .map((wanted): Added => {
      const at = gone.findIndex(({ name, url }) => name === wanted.name || url === wanted.url);
      return { wanted, replaces: at === -1 ? undefined : gone.splice(at, 1)[0] };
    });
  const going = new Set([...gone, ...added.map(({ replaces }) => replaces)].map((edge) => edge?.name));
  const serving = targets.listed().filter(({ state }) => state === "serving");
  const isSomeLeft = serving.some(({ name }) => !going.has(name));
  const [first] = added;
  if (!isSomeLeft && first === undefined)
    throw new UsageError("edge: no target would be left; allowed: at least one edge or function");
  if (targets.listed().length + added.length > mostEdges)
    throw new UsageError(`edge: there would be more than ${mostEdges} targets; allowed: no more`);
  if (!isSomeLeft && first !== undefined && added.every(({ replaces }) => replaces === undefined))
    first.replaces = gone.shift();
  for (const { wanted, replaces } of added) check(() => targets.checked(wanted, replaces));
  for (const { wanted, replaces } of added) targets.add(wanted, "options", replaces);
  for (const { name } of gone) targets.remove(name);
}

function refuseTwice(texts: readonly string[]): void {
  const twice = texts.find((text, index) => texts.indexOf(text) < index);
  if (twice !== undefined)
    throw new UsageError(`edge: ${twice} is there twice; allowed: each name and URL once`);
}

function check(use: () => void): void {
  try {
    use();
  } catch (error) {
    throw new UsageError(`edge: ${(error as Error).message}`);
  }
}
