/**
 * The requests of a line that the edge, played forward, cannot serve in time: they have to go to functions
 * sooner or later, and the first of them says when.
 */
import type { LineView } from "../policy.ts";
import type { EdgeBooks } from "./edge-books.ts";
import type { EdgeChoice } from "./edge-choice.ts";

export interface LeftOver {
  readonly count: number;
  /** Index of the first of them; the line's length when there is none. */
  readonly first: number;
}

/**
 * @param books open at this moment; they are filled with the line's batches
 * @param canSkip as `EdgeChoice.choose` takes it
 */
export function findLeftOver(
  line: LineView,
  books: EdgeBooks,
  choice: EdgeChoice,
  canSkip: ((first: number, count: number) => boolean) | undefined,
): LeftOver {
  let first = line.length;
  let count = 0;
  for (let next = 0; next < line.length;) {
    const replica = books.soonest();
    const batch = choice.choose(line, books, replica, next, canSkip);
    const taken = batch.count > 0 ? batch.first : line.length;
    if (taken > next) {
      first = Math.min(first, next);
      count += taken - next;
    }
    if (batch.count === 0) break;
    books.book(replica, batch.rows);
    next = batch.first + batch.count;
  }
  return { count, first };
}
