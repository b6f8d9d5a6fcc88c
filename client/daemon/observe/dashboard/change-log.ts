/** Plans that followed a change, and targets that came and went: the marks of the picture of arrivals; a bounded number. */
import { modelOfKey } from "../../../policies/queue-key.ts";
import { shortened } from "../../../../base/error-text.ts";
import type { QueueEvent } from "../../../queue/queue-event.ts";
import type { PlanRecord } from "../observer.ts";
import type { WireChange } from "./wire.ts";

const mostChanges = 100;
const longestText = 500;

type Kept = Omit<WireChange, "atUnixMs"> & { readonly atMs: number };

export class ChangeLog {
  readonly #kept = new Map<number, Kept>();
  #next = 1;

  /** The number of the newest change. */
  get version(): number {
    return this.#next - 1;
  }

  observe(event: QueueEvent | PlanRecord): void {
    const { atMs } = event;
    if (event.kind === "plan") {
      const { cause, isAdopted, ratePerS, text, key } = event;
      // Most heartbeats change nothing.
      if (cause === "heartbeat" && !isAdopted) return;
      this.#keep({ atMs, cause, isAdopted, ratePerS, model: shortened(modelOfKey(key)), text: cut(text) });
    } else if (event.kind === "target-added")
      this.#keep({ atMs, cause: "added", model: "", text: `${event.target.name} was added` });
    else if (event.kind === "target-removed")
      this.#keep({ atMs, cause: "removed", model: "", text: `${event.target} was removed` });
  }

  /** Those that came after that version, the oldest first. */
  since(version: number, unixOf: (atMs: number) => number): WireChange[] {
    const changes: WireChange[] = [];
    for (const { atMs, ...kept } of this.#kept.values())
      if (kept.id > version) changes.push({ ...kept, atUnixMs: unixOf(atMs) });
    return changes;
  }

  #keep(change: Omit<Kept, "id">): void {
    const id = this.#next++;
    this.#kept.set(id, { id, ...change });
    this.#kept.delete(id - mostChanges);
  }
}

function cut(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText)}…` : text;
}
