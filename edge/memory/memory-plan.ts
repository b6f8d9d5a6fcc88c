/** Which models leave the memory when another is to be loaded, as a pure decision. */

/** A model that takes memory, or is about to. */
export interface Resident {
  readonly name: string;
  /** What it takes, or may take until it is loaded. */
  readonly bytes: number;
  /** `loading`: it may not be stopped, since it would have been loaded for nothing. `leaving`: its memory comes free soon. */
  readonly state: "loading" | "up" | "leaving";
  readonly isPinned: boolean;
  /** Requests that wait for it or run. */
  readonly openRequests: number;
  /** Moment of its last request. */
  readonly usedAtMs: number;
  /** Moment since which it answers. */
  readonly upAtMs: number;
}

export interface MemoryPlanRules {
  readonly budgetBytes: number;
  /** How long a model that is asked all the time stays once it is up, so that it serves those it was loaded for. */
  readonly leastUpMs: number;
}

export type MemoryPlan =
  /** There is room now. */
  | { readonly kind: "load" }
  /** These are to leave, perhaps none; then there is room, or the plan is to be made again, at the latest at `atMs`. */
  | { readonly kind: "wait"; readonly leave: readonly string[]; readonly atMs: number }
  /** It does not fit beside what is pinned. */
  | { readonly kind: "never"; readonly roomBytes: number };

/**
 * Makes room for a model that needs so many bytes. Those that nobody asks leave first, the least recently used before the
 * others; then those that are asked, the longest loaded before the others.
 *
 * @example
 * planMemory(60, [{ name: "a", bytes: 50, state: "up", openRequests: 0, ... }], { budgetBytes: 100, leastUpMs: 0 }, 0);
 * // { kind: "wait", leave: ["a"], atMs: Infinity }
 */
export function planMemory(
  neededBytes: number,
  residents: readonly Resident[],
  { budgetBytes, leastUpMs }: MemoryPlanRules,
  nowMs: number,
): MemoryPlan {
  const roomBytes = budgetBytes - sumOf(residents.filter(({ isPinned }) => isPinned));
  if (neededBytes > roomBytes) return { kind: "never", roomBytes };
  let freeBytes = budgetBytes - sumOf(residents);
  if (neededBytes <= freeBytes) return { kind: "load" };
  freeBytes += sumOf(residents.filter(({ state }) => state === "leaving"));
  const leave: string[] = [];
  let atMs = Infinity;
  const mayLeave = residents.filter(({ state, isPinned }) => state === "up" && !isPinned);
  const idle = mayLeave.filter(({ openRequests }) => openRequests === 0);
  const asked = mayLeave.filter(({ openRequests }) => openRequests > 0);
  const order = [
    ...idle.toSorted((a, b) => a.usedAtMs - b.usedAtMs),
    ...asked.toSorted((a, b) => a.upAtMs - b.upAtMs),
  ];
  for (const { name, bytes, openRequests, upAtMs } of order) {
    if (neededBytes <= freeBytes) break;
    if (openRequests > 0 && nowMs < upAtMs + leastUpMs) {
      atMs = Math.min(atMs, upAtMs + leastUpMs);
      continue;
    }
    leave.push(name);
    freeBytes += bytes;
  }
  return { kind: "wait", leave, atMs };
}

function sumOf(residents: readonly Resident[]): number {
  return residents.reduce((sum, { bytes }) => sum + bytes, 0);
}
