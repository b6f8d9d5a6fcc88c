/**
 * The latest events of a queue, in their order and in a bounded number of bytes. Two of each request, its arrival and its end,
 * are the many; they are kept as numbers in rows outside the heap, because so many objects that live for long would be
 * copied by the garbage collector again and again, and hold up every request meanwhile.
 *
 *     const events = new KeptEvents(16 * 2 ** 20);
 *     events.push(event);
 *     for (let at = events.first; at < events.next; at++) events.at(at);
 */
import type { Outcome } from "../../../queue/queue-event.ts";
import type { ArrivalEvent } from "./event-text.ts";
import { bytesOf, type KeptEvent } from "./kept-event.ts";

/** Events of a chunk, which is let go as a whole. */
const chunkEvents = 1_024;
/** Numbers of a row: what it is, id, time, and of an arrival key, rows, bytes and SLO. */
const columns = 7;
/** A row, and its part of what is around it. */
const rowBytes = 8 * columns + 8;

/** What a key takes beside its characters. */
const keyOverheadBytes = 60;

/** What a row is: any event, an arrival, one that may be split, or an end with the outcome of that place in the list. */
const [anyEvent, anArrival, aSplittable, firstOutcome] = [0, 1, 2, 3];
const outcomes: readonly Outcome[] = ["served", "late", "refused", "cancelled", "failed"];

interface Chunk {
  readonly rows: Float64Array;
  /** Those that are not kept as numbers, by their place, and what they hold. */
  readonly others: Map<number, { readonly event: KeptEvent; readonly bytes: number }>;
  /** The keys of its arrivals. */
  readonly keys: string[];
  readonly keyAt: Map<string, number>;
  /** What the keys hold. */
  keyBytes: number;
}

export class KeptEvents {
  readonly #mostBytes: number;
  #chunks: Chunk[] = [];
  /** Place of the first event of the first chunk. */
  #base = 0;
  #first = 0;
  #next = 0;
  #bytes = 0;

  /** @param mostBytes that events hold together, as estimated */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Place of the oldest event that is kept. Places count from 0 over all events. */
  get first(): number {
    return this.#first;
  }

  /** Place of the event that comes next. */
  get next(): number {
    return this.#next;
  }

  push(event: KeptEvent): void {
    const at = (this.#next++ - this.#base) % chunkEvents;
    if (at === 0) this.#chunks.push(emptyChunk());
    this.#bytes += written(this.#chunks.at(-1) as Chunk, at, event);
    while (this.#bytes > this.#mostBytes && this.#first < this.#next) this.#drop();
  }

  /** The event at a place from `first` to before `next`. */
  at(place: number): KeptEvent {
    const { chunk, at, row } = this.#find(place);
    const { rows, keys, others } = chunk;
    const what = rows[row] as number;
    const [id, atMs] = [rows[row + 1] as number, rows[row + 2] as number];
    if (what === anyEvent) return (others.get(at) as { readonly event: KeptEvent }).event;
    if (what >= firstOutcome)
      return { kind: "end", id, atMs, outcome: outcomes[what - firstOutcome] as Outcome };
    const key = keys[rows[row + 3] as number] as string;
    const arrival: ArrivalEvent = {
      kind: "arrival",
      id,
      atMs,
      key,
      rows: rows[row + 4] as number,
      bytes: rows[row + 5] as number,
      sloMs: rows[row + 6] as number,
    };
    return what === aSplittable ? { ...arrival, isSplittable: true } : arrival;
  }

  /** Whether the event at a place may concern a request: false for arrivals and ends of others. */
  mayConcern(place: number, id: number): boolean {
    const { chunk, row } = this.#find(place);
    return chunk.rows[row] === anyEvent || chunk.rows[row + 1] === id;
  }

  #find(place: number): { readonly chunk: Chunk; readonly at: number; readonly row: number } {
    const at = (place - this.#base) % chunkEvents;
    return {
      chunk: this.#chunks[(place - this.#base - at) / chunkEvents] as Chunk,
      at,
      row: at * columns,
    };
  }

  #drop(): void {
    const { chunk, at } = this.#find(this.#first++);
    this.#bytes -= rowBytes + (chunk.others.get(at)?.bytes ?? 0);
    chunk.others.delete(at);
    if (at + 1 < chunkEvents) return;
    this.#chunks.shift();
    this.#bytes -= chunk.keyBytes;
    this.#base += chunkEvents;
  }
}

function emptyChunk(): Chunk {
  return {
    rows: new Float64Array(chunkEvents * columns),
    others: new Map(),
    keys: [],
    keyAt: new Map(),
    keyBytes: 0,
  };
}

/** Returns what it holds, in bytes. */
function written(chunk: Chunk, at: number, event: KeptEvent): number {
  const { rows, others } = chunk;
  const row = at * columns;
  if (event.kind === "end" && event.why === undefined && event.code === undefined) {
    rows[row] = firstOutcome + outcomes.indexOf(event.outcome);
    rows[row + 1] = event.id;
    rows[row + 2] = event.atMs;
    return rowBytes;
  }
  if (event.kind === "arrival" && isPlain(event)) {
    rows[row] = event.isSplittable === true ? aSplittable : anArrival;
    rows[row + 1] = event.id;
    rows[row + 2] = event.atMs;
    const { keyBytes } = chunk;
    rows[row + 3] = keyIn(chunk, event.key);
    rows[row + 4] = event.rows;
    rows[row + 5] = event.bytes;
    rows[row + 6] = event.sloMs;
    return rowBytes + chunk.keyBytes - keyBytes;
  }
  const bytes = bytesOf(event);
  others.set(at, { event, bytes });
  return rowBytes + bytes;
}

/** Whether an arrival has nothing but what a row holds. */
function isPlain({ lane, tenant, isFinalAnywhere }: ArrivalEvent): boolean {
  return lane === undefined && tenant === undefined && isFinalAnywhere === undefined;
}

function keyIn(chunk: Chunk, key: string): number {
  const { keys, keyAt } = chunk;
  const known = keyAt.get(key);
  if (known !== undefined) return known;
  keyAt.set(key, keys.length);
  chunk.keyBytes += keyOverheadBytes + key.length;
  return keys.push(key) - 1;
}
