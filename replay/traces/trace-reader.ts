/** Reads a trace of any form as a stream. A line that cannot be read is an error that names its place. */
import { InputError } from "../../base/usage-error.ts";
import { readLines, type TextFile } from "../../base/text-lines.ts";
import { type Arrival, ArrivalLines, type Bin, BinLines, readForm, type TraceForm } from "./trace-lines.ts";

/** Requests at recorded moments, or bins with a count or a rate. */
export type TraceBlock =
  | { readonly kind: "arrivals"; readonly arrivals: readonly Arrival[] }
  | { readonly kind: "count" | "rate"; readonly bins: readonly Bin[] };

/**
 * The trace in blocks, in the file's order.
 *
 * @throws InputError that names file, line and column of a malformed line
 */
export async function* readTrace(file: TextFile): AsyncGenerator<TraceBlock> {
  const parser = new TraceParser(file.name);
  for await (const lines of readLines(file)) {
    const block = parser.read(lines);
    if (block !== undefined) yield block;
  }
  const last = parser.end();
  if (last !== undefined) yield last;
}

class TraceParser {
  readonly #place: { readonly file: string; line: number };
  #emptyLine: number | undefined;
  #lines: ArrivalLines | BinLines | undefined;
  #form: TraceForm | undefined;
  #dataLines = 0;

  constructor(file: string) {
    this.#place = { file, line: 0 };
  }

  /** The content of these lines; undefined when there is none yet. */
  read(lines: readonly string[]): TraceBlock | undefined {
    const arrivals: Arrival[] = [];
    const bins: Bin[] = [];
    for (const line of lines) {
      this.#place.line++;
      if (line.trim() === "") {
        this.#emptyLine ??= this.#place.line;
        continue;
      }
      // Empty lines are harmless at the end only; elsewhere something is missing.
      if (this.#emptyLine !== undefined) this.#fail(this.#emptyLine, "the line is empty");
      if (this.#lines === undefined) {
        this.#readHeader(line);
        continue;
      }
      this.#dataLines++;
      if (this.#lines instanceof ArrivalLines) arrivals.push(this.#lines.read(line, this.#place));
      else {
        const bin = this.#lines.read(line, this.#place);
        if (bin !== undefined) bins.push(bin);
      }
    }
    return this.#block(arrivals, bins);
  }

  /** The content that is complete only at the end of the file. */
  end(): TraceBlock | undefined {
    if (this.#lines === undefined) this.#fail(1, "the file is empty; expected a header line");
    if (this.#dataLines === 0) this.#fail(2, "the file has a header and nothing else");
    if (this.#lines instanceof ArrivalLines) return undefined;
    const last = this.#lines.last();
    if (last === undefined) this.#fail(2, "a single bin has no width; expected at least two lines");
    return this.#block([], [last]);
  }

  #readHeader(line: string): void {
    this.#form = readForm(line, this.#place.file);
    const isBinned = this.#form.kind === "count" || this.#form.kind === "rate";
    this.#lines = isBinned ? new BinLines(this.#form) : new ArrivalLines(this.#form);
  }

  #block(arrivals: readonly Arrival[], bins: readonly Bin[]): TraceBlock | undefined {
    if (arrivals.length > 0) return { kind: "arrivals", arrivals };
    if (bins.length > 0) return { kind: this.#form?.kind === "count" ? "count" : "rate", bins };
    return undefined;
  }

  #fail(line: number, why: string): never {
    throw new InputError(this.#place.file, `${line}:1`, why);
  }
}
