/**
 * What devices send: a text with placeholders for who sends, for numbers by chance, and for values that were recorded.
 *
 *     const template = payloadTemplate('{"id":"${id}","temperature":${random(20,30)}}');
 *     template({ id: "d1-7", device: "d1", n: 7, nowMs: Date.now(), random, recorded: {} }); // {"id":"d1-7",…
 */
import { didYouMean, showValue } from "../../base/error-text.ts";
import { UsageError } from "../../base/usage-error.ts";

/** What a message is made of. */
export interface MessageFacts {
  /** Unlike that of any other message. */
  readonly id: string;
  readonly device: string;
  /** Counts the messages of all devices from 0. */
  readonly n: number;
  readonly nowMs: number;
  /** A number from 0 up to, and without, 1. */
  readonly random: () => number;
  /** One row of the recorded values, by column. */
  readonly recorded: Readonly<Record<string, string>>;
}

export type Template = (facts: MessageFacts) => string;

/** Most characters of a filler. */
const mostFiller = 2 ** 24;
/** Digits behind the point of a number by chance. */
const digits = 3;
const words = [
  "id",
  "device",
  "n",
  "now",
  "random(LEAST,MOST)",
  "int(LEAST,MOST)",
  "pick(A,B,...)",
  "filler(CHARACTERS)",
  "recorded.COLUMN",
];

/**
 * @param columns of the recorded values
 * @throws UsageError that names the placeholder that is not known
 */
export function payloadTemplate(text: string, columns: readonly string[] = []): Template {
  const parts: (string | Template)[] = [];
  let at = 0;
  for (let from = text.indexOf("${"); from !== -1; from = text.indexOf("${", at)) {
    const to = text.indexOf("}", from);
    if (to === -1) break;
    parts.push(text.slice(at, from), placeholder(text.slice(from + 2, to).trim(), columns));
    at = to + 1;
  }
  parts.push(text.slice(at));
  return (facts) => parts.map((part) => (typeof part === "string" ? part : part(facts))).join("");
}

function placeholder(name: string, columns: readonly string[]): Template {
  if (name === "id") return ({ id }) => id;
  if (name === "device") return ({ device }) => device;
  if (name === "n") return ({ n }) => String(n);
  if (name === "now") return ({ nowMs }) => String(Math.round(nowMs));
  const call = /^(random|int|pick|filler)\((.*)\)$/.exec(name);
  const given = call?.[2]?.split(",").map((each) => each.trim()) ?? [];
  switch (call?.[1]) {
    case "random": {
      const [least, most] = range(name, given);
      return ({ random }) => (least + (most - least) * random()).toFixed(digits);
    }
    case "int": {
      const [least, most] = range(name, given);
      return ({ random }) => String(Math.floor(least + (most - least + 1) * random()));
    }
    case "pick":
      return ({ random }) => given[Math.floor(random() * given.length)] ?? "";
    case "filler": {
      const count = Number(given[0]);
      if (!Number.isInteger(count) || count < 0 || count > mostFiller)
        throw new UsageError(`\${${name}}: allowed: a whole number from 0 to ${mostFiller}`);
      const filler = "x".repeat(count);
      return () => filler;
    }
    default:
  }
  const column = /^recorded\.(.+)$/.exec(name)?.[1];
  if (column !== undefined && columns.includes(column)) return ({ recorded }) => recorded[column] ?? "";
  if (column !== undefined)
    throw new UsageError(
      `\${${name}}: the recorded values have no column ${showValue(column)}; allowed: ${columns.join(", ") || "none; --recorded names a file"}${didYouMean(column, columns)}`,
    );
  throw new UsageError(`\${${name}} is not known; allowed: ${words.map((word) => `\${${word}}`).join(", ")}`);
}

function range(name: string, given: readonly string[]): [number, number] {
  const [least = NaN, most = NaN] = given.map(Number);
  if (given.length === 2 && Number.isFinite(least) && Number.isFinite(most) && least <= most)
    return [least, most];
  throw new UsageError(`\${${name}}: allowed: two numbers, the lesser first, such as random(20,30)`);
}
