/**
 * JSON with what JSON.parse loses: integers beyond 2^53 become big integers, and the NaN and infinities of other
 * programs are read. Slower than JSON.parse, so only texts that `scanJson` finds such numbers in come here.
 */

const numberAt = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const wordAt = /true|false|null|NaN|-?Infinity/y;
const words: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  null: null,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

/** More digits than any datatype has are not kept: such a number is as JSON.parse reads it. */
const mostDigits = 40;

/**
 * The value of a JSON text whose nesting is bounded. An integer that a JavaScript number cannot state exactly is a bigint.
 * Throws a SyntaxError.
 *
 * @example
 * parseExactJson("[1, 9007199254740993, 1e19, NaN]"); // [1, 9007199254740993n, 1e19, NaN]
 */
export function parseExactJson(text: string): unknown {
  const reader = new Reader(text);
  const value = reader.value();
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    const next = this.#next();
    if (next === "[") return this.#array();
    if (next === "{") return this.#object();
    if (next === '"') return this.#string();
    const number = this.#match(numberAt);
    if (number !== undefined) return numberOf(number);
    const word = this.#match(wordAt);
    if (word === undefined) throw this.#unexpected();
    return words[word];
  }

  end(): void {
    if (this.#next() !== undefined) throw this.#unexpected();
  }

  #array(): unknown[] {
    const items: unknown[] = [];
    this.#at++;
    if (this.#take("]")) return items;
    do items.push(this.value());
    while (this.#take(","));
    this.#expect("]");
    return items;
  }

  #object(): Record<string, unknown> {
    const members: Record<string, unknown> = {};
    this.#at++;
    if (this.#take("}")) return members;
    do {
      if (this.#next() !== '"') throw this.#unexpected();
      const name = this.#string();
      this.#expect(":");
      const value = this.value();
      // Assigning would set the prototype.
      if (name === "__proto__") define(members, name, value);
      else members[name] = value;
    } while (this.#take(","));
    this.#expect("}");
    return members;
  }

  #string(): string {
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    while (end >= 0 && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    if (end < 0) {
      this.#at = this.#text.length;
      throw this.#unexpected();
    }
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  /** Whether the character has an odd number of backslashes before it. */
  #isEscaped(at: number): boolean {
    let first = at;
    while (this.#text[first - 1] === "\\") first--;
    return (at - first) % 2 === 1;
  }

  /** The next character that is no white space, which is not taken; undefined at the end. */
  #next(): string | undefined {
    for (;;) {
      const next = this.#text[this.#at];
      if (next !== " " && next !== "\n" && next !== "\r" && next !== "\t") return next;
      this.#at++;
    }
  }

  #take(character: string): boolean {
    if (this.#next() !== character) return false;
    this.#at++;
    return true;
  }

  #expect(character: string): void {
    if (!this.#take(character)) throw this.#unexpected();
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #unexpected(): SyntaxError {
    const character = this.#text[this.#at];
    if (character === undefined) return new SyntaxError("unexpected end");
    return new SyntaxError(`unexpected ${JSON.stringify(character)} at position ${this.#at}`);
  }
}

function numberOf(text: string): number | bigint {
  const value = Number(text);
  if (text.length < 16 || text.length > mostDigits || Number.isSafeInteger(value)) return value;
  return /[.eE]/.test(text) ? value : BigInt(text);
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true });
}
