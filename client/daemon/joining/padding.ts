/**
 * Pads an open dimension of a model's input up to one of a few sizes, so that requests of almost the same size share
 * batches: lines of text by their width, say. Only the user knows whether a model answers padded rows alike, so only what
 * the user names is padded.
 */
import { z } from "zod";
import { showValue } from "../../../base/error-text.ts";
import { numberOrText } from "../../../base/program/number-or-text.ts";
import type { InferRequest } from "../../../protocol/message.ts";
import { type Tensor, tensorFromNumbers } from "../../../protocol/tensor.ts";

/** How one input of a model is padded. */
export interface PadRule {
  readonly input: string;
  /** Index of the dimension, from 1: the first one is the rows. */
  readonly dimension: number;
  /** Ascending. */
  readonly sizes: readonly number[];
  /** What is put behind the data. */
  readonly value: number;
}

const allowed = "MODEL=INPUT:DIMENSION:SIZE/SIZE/...[:VALUE], such as ocr-rec=x:3:160/320/640";
/** A size or a dimension beyond these is a slip. */
const mostSize = 1_000_000;
const mostDimension = 31;

/** Throws an Error that says what is wrong with the text. */
function ruleIn(text: string): { readonly model: string; readonly rule: PadRule } {
  const [, model = "", input = "", first, list = "", last = "0"] =
    /^([^=]+)=([^:]+):([^:]*):([^:]*)(?::([^:]*))?$/.exec(text) ?? [];
  if (first === undefined) throw new Error(`${showValue(text)} has not this form`);
  const [dimension, value] = [numberOrText(first), numberOrText(last)];
  if (!isWhole(dimension, mostDimension))
    throw new Error(`the dimension is ${showValue(dimension)}; allowed: an integer, 1 to ${mostDimension}`);
  const sizes = list.split("/").map(numberOrText);
  const isAscending = sizes.every(
    (size, index): size is number =>
      isWhole(size, mostSize) && (index === 0 || size > (sizes[index - 1] as number)),
  );
  if (!isAscending)
    throw new Error(`the sizes are ${showValue(list)}; allowed: integers that ascend, 1 to ${mostSize}`);
  if (typeof value === "string") throw new Error(`the value is ${showValue(value)}; allowed: a number`);
  return { model, rule: { input, dimension, sizes, value } };
}

function isWhole(value: number | string, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most;
}

/** One text for each padded input of a model. */
export const padRules = z
  .array(z.string())
  .transform((given, context): ReadonlyMap<string, readonly PadRule[]> => {
    const rules = new Map<string, PadRule[]>();
    for (const [index, text] of given.entries()) {
      try {
        const { model, rule } = ruleIn(text);
        rules.set(model, [...(rules.get(model) ?? []), rule]);
      } catch (error) {
        context.addIssue({
          code: "custom",
          path: [index],
          message: `${allowed}; ${(error as Error).message}`,
        });
      }
    }
    return rules;
  });

/**
 * The request with each input padded to the next size; one that is larger than all sizes stays as it is.
 *
 * @example An input of [2, 3, 48, 300], padded in dimension 3 to 160, 320 or 640:
 * padded(request, rules).inputs[0].shape; // [2, 3, 48, 320]
 */
export function padded(request: InferRequest, rules: readonly PadRule[] | undefined): InferRequest {
  if (rules === undefined) return request;
  // What was found out of its head does not hold for other shapes.
  const { template: _, ...rest } = request;
  const inputs = request.inputs.map((tensor) =>
    rules.filter(({ input }) => input === tensor.name).reduce(padTensor, tensor),
  );
  return { ...rest, inputs };
}

function padTensor(tensor: Tensor, { dimension, sizes, value }: PadRule): Tensor {
  const { datatype, shape, data } = tensor;
  const before = shape[dimension];
  const after = before === undefined ? undefined : sizes.find((size) => size >= before);
  // Elements of BYTES differ in length, and an empty tensor has nothing to put the rest behind.
  if (before === undefined || after === undefined || after === before || datatype === "BYTES") return tensor;
  const outer = shape.slice(0, dimension).reduce((product, size) => product * size, 1);
  if (outer * before === 0 || data.byteLength % (outer * before) !== 0) return tensor;
  const [fromBytes, toBytes] = [data.byteLength / outer, (data.byteLength / outer / before) * after];
  const filled = new Uint8Array(outer * toBytes);
  const one = tensorFromNumbers("", datatype, [1], [value]).data;
  if (value !== 0) for (let at = 0; at < filled.length; at += one.length) filled.set(one, at);
  for (let index = 0; index < outer; index++)
    filled.set(data.subarray(index * fromBytes, (index + 1) * fromBytes), index * toBytes);
  return { ...tensor, shape: shape.with(dimension, after), data: filled };
}
