/** Faults of a rule file, each with the line and column of its place. */
import { type Document, isMap, isNode, isPair, LineCounter } from "yaml";
import { showValue } from "../../../../../../base/error-text.ts";
import { UsageError } from "../../../../../../base/usage-error.ts";

/** Where a value is: `["rules", 0, "from", "qos"]`. */
export type ConfigPath = readonly (string | number)[];

/** Notes a fault of what is compiled: the steps from it to the place, and what follows the place's name. */
export type NoteConfigFault = (steps: ConfigPath, text: string) => void;

/** More faults than this are counted, not shown. */
const mostShown = 50;

/** Collects faults, so that all of them are told at once. */
export class ConfigFaults {
  readonly #place: string;
  readonly #document: Document | undefined;
  readonly #lines: LineCounter | undefined;
  readonly #texts: string[] = [];

  /**
   * @param place what messages call the file
   * @param document where lines and columns are taken from; undefined: the values were not read from a text
   */
  constructor(place: string, document?: Document, lines?: LineCounter) {
    this.#place = place;
    this.#document = document;
    this.#lines = lines;
  }

  get count(): number {
    return this.#texts.length;
  }

  /** Notes a fault of the whole file, or at a line that the parser told. */
  addText(text: string): void {
    this.#texts.push(`${this.#place}${text}`);
  }

  /** Notes what is wrong with a value: `rules[0].from.qos is 3; allowed: 0, 1 or 2`. */
  addValue(path: ConfigPath, value: unknown, allowed: string): void {
    this.add(path, `${path.length === 0 ? "the file" : pathName(path)} is ${showValue(value)}; ${allowed}`);
  }

  /** Notes faults of a part of the file. */
  of(path: ConfigPath): NoteConfigFault {
    return (steps, text) => this.add([...path, ...steps], `${pathName([...path, ...steps])} ${text}`);
  }

  /** @param text the fault, with the name of its place */
  add(path: ConfigPath, text: string): void {
    this.#texts.push(`${this.#place}${this.#positionOf(path)}: ${text}`);
  }

  /** @throws UsageError with a line for each fault, when there is one */
  throwAny(): void {
    if (this.#texts.length === 0) return;
    const left = this.#texts.length - mostShown;
    const more = left > 0 ? [`${this.#place}: ${left} more faults`] : [];
    throw new UsageError([...new Set(this.#texts.slice(0, mostShown)), ...more].join("\n"));
  }

  /** `:LINE:COLUMN` of the value, of its key where there is no value of its own, or of the nearest thing around it. */
  #positionOf(path: ConfigPath): string {
    const offset = this.#document === undefined ? undefined : offsetOf(this.#document, path);
    if (offset === undefined || this.#lines === undefined) return "";
    const { line, col } = this.#lines.linePos(offset);
    return `:${line}:${col}`;
  }
}

function offsetOf(document: Document, path: ConfigPath): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const parent = length === 0 ? undefined : document.getIn(path.slice(0, length - 1), true);
    if (isMap(parent)) {
      const pair = parent.items.find(
        (item) => isPair(item) && keyText(item.key) === String(path[length - 1]),
      );
      const key: unknown = pair?.key;
      if (isNode(key) && key.range) return key.range[0];
      continue;
    }
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return undefined;
}

function keyText(key: unknown): string {
  return String(isNode(key) ? (key.toJSON() as unknown) : key);
}

/** `rules[0].from.qos` */
export function pathName(path: ConfigPath): string {
  return path.reduce<string>((name, step) => {
    if (typeof step === "number") return `${name}[${step}]`;
    return name === "" ? step : `${name}.${step}`;
  }, "");
}
