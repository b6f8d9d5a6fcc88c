/** One comparison of requests alone and in company: what is to be run once more, and what it should give. */
import { Buffer } from "node:buffer";
import { cutRows, joinRows } from "../../protocol/stack.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { tensorDifference, type TensorDifference } from "../../protocol/tensor-difference.ts";

/** What a request was and what it got. */
export interface RanRequest {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  readonly outputs: readonly Tensor[];
}

export interface JoinCheck {
  /** The key of the requests; see `QueueItem`. */
  readonly key: string;
  /** `together`: requests that ran apart run as one. `apart`: one of those that ran together runs alone. */
  readonly kind: "together" | "apart";
  readonly inputs: readonly Tensor[];
  /** Rows of each request in the run. */
  readonly rows: readonly number[];
  /** The outputs of each request as it was answered. */
  readonly expected: readonly (readonly Tensor[])[];
  /** Whether requests differ in what they asked and got, in every output, so that a mix of their rows would show. */
  readonly isTelling: boolean;
}

/** A check of requests that ran apart. @param requests two or more with the same key */
export function togetherCheck(key: string, requests: readonly RanRequest[]): JoinCheck {
  return {
    key,
    kind: "together",
    inputs: joinRows(requests.map(({ inputs }) => inputs)),
    rows: requests.map(({ rows }) => rows),
    expected: requests.map(({ outputs }) => outputs),
    isTelling: !allAlike(requests.map(({ inputs }) => inputs)) && sameInAllRows(requests) === undefined,
  };
}

/** A check of a request that ran in company. */
export function apartCheck(key: string, { inputs, rows, outputs }: RanRequest): JoinCheck {
  return { key, kind: "apart", inputs, rows: [rows], expected: [outputs], isTelling: true };
}

/** How much the outputs of the check's run differ from what the requests were answered. */
export function differenceOf({ rows, expected }: JoinCheck, outputs: readonly Tensor[]): TensorDifference {
  let parts: readonly (readonly Tensor[])[];
  try {
    parts = cutRows(outputs, rows);
  } catch (error) {
    return { difference: Infinity, where: (error as Error).message };
  }
  const most = expected.map((each, index) => tensorDifference(each, parts[index] ?? [])).reduce(larger);
  if (most.difference === Infinity || parts.length === 1) return most;
  // All rows at once show what a few do not, such as a small column.
  return larger(most, tensorDifference(joinRows(expected), outputs));
}

function larger(one: TensorDifference, other: TensorDifference): TensorDifference {
  return other.difference > one.difference ? other : one;
}

/** The first output that has another number of rows than its request, in words; undefined when all agree. */
export function strayRows({ rows, outputs }: RanRequest): string | undefined {
  const stray = outputs.find(({ shape }) => shape[0] !== rows);
  if (stray === undefined) return undefined;
  const has = stray.shape.length === 0 ? "no rows" : `${stray.shape[0]} rows`;
  return `output "${stray.name}" has ${has} for a request of ${rows}`;
}

/** The first output that is the same in all rows of the requests, whose mix would not show; undefined when there is none. */
export function sameInAllRows(requests: readonly RanRequest[]): string | undefined {
  const answers = requests.flatMap(({ outputs, rows }) => cutRows(outputs, Array<number>(rows).fill(1)));
  const [first = []] = answers;
  const same = first.find(
    ({ data }, index) => data.byteLength > 0 && allAlike(answers.map((each) => each.slice(index, index + 1))),
  );
  return same?.name;
}

/** Whether all entries have the same bytes. */
export function allAlike(entries: readonly (readonly Tensor[])[]): boolean {
  const [first = [], ...others] = entries;
  return others.every((each) =>
    each.every((tensor, index) => {
      const { data } = first[index] ?? tensor;
      return Buffer.compare(data, tensor.data) === 0;
    }),
  );
}
