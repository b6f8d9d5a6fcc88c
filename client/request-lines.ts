/**
 * The lines of a queue, one for each key. A line stays for a while after it is empty, because it is soon
 * filled again; the number of lines is bounded.
 */
import type { WaitingRequest } from "./policy.ts";
import { RequestLine } from "./request-line.ts";

const maxLines = 256;

export class RequestLines<R extends WaitingRequest & { readonly key: string }> {
  readonly #lines = new Map<string, RequestLine<R>>();

  /** Rows over all lines. */
  get rows(): number {
    let rows = 0;
    for (const line of this.#lines.values()) rows += line.rows;
    return rows;
  }

  /** Put a request into the line of its key; undefined when there are too many lines that wait. */
  add(request: R): RequestLine<R> | undefined {
    const line = this.#lines.get(request.key) ?? this.#create(request.key);
    line?.add(request);
    return line;
  }

  remove(request: R): void {
    this.#lines.get(request.key)?.remove(request);
  }

  /** The lines in which requests wait, the one with the earliest deadline first. */
  waiting(): readonly RequestLine<R>[] {
    const lines: RequestLine<R>[] = [];
    for (const line of this.#lines.values()) if (line.length > 0) lines.push(line);
    return lines.length < 2 ? lines : lines.sort((a, b) => a.at(0).deadlineAtMs - b.at(0).deadlineAtMs);
  }

  /** When the first of the waiting lines wants to decide again; Infinity when none does. */
  wakeAtMs(): number {
    let wakeAtMs = Infinity;
    for (const line of this.#lines.values()) {
      if (line.length > 0 && line.wakeAtMs < wakeAtMs) wakeAtMs = line.wakeAtMs;
    }
    return wakeAtMs;
  }

  #create(key: string): RequestLine<R> | undefined {
    if (this.#lines.size >= maxLines && !this.#dropEmpty()) return undefined;
    const line = new RequestLine<R>(key);
    this.#lines.set(key, line);
    return line;
  }

  #dropEmpty(): boolean {
    for (const [key, line] of this.#lines) {
      if (line.length === 0) return this.#lines.delete(key);
    }
    return false;
  }
}
