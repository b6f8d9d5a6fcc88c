/** `--shapes`: shapes of one row, for inputs whose dimensions the model leaves open. */
import { z } from "zod";
import { showValue } from "../../base/error-text.ts";
import { numberOrText } from "../../base/program/number-or-text.ts";

/** Shapes of one row by input name. */
export type InputShapes = ReadonlyMap<string, readonly number[]>;

/** A size beyond this is a slip. */
const mostSize = 1_000_000;
const form = "NAME=1xSIZExSIZE, such as x=1x3x48x192";

/** Throws an Error that says what is wrong with the text. */
function shapeIn(text: string): [string, number[]] {
  const [, name, list = ""] = /^([^=]+)=(.*)$/.exec(text.trimStart()) ?? [];
  if (name === undefined) throw new Error(`${showValue(text)} is not a shape`);
  const sizes = list.trim().split("x").map(numberOrText);
  const wrong = sizes.find((size) => !isSize(size));
  if (wrong === undefined) return [name, sizes as number[]];
  throw new Error(
    `a size of ${showValue(text)} is ${showValue(wrong)}; allowed: an integer, 1 to ${mostSize}`,
  );
}

function isSize(size: number | string): boolean {
  return typeof size === "number" && Number.isInteger(size) && size >= 1 && size <= mostSize;
}

/** A text such as `x=1x3x48x192,y=1x5`. */
export const inputShapes = z.string().transform((given, context): InputShapes => {
  try {
    return new Map(given.split(",").map(shapeIn));
  } catch (error) {
    context.addIssue(`${form}; ${(error as Error).message}`);
    return z.NEVER;
  }
});
