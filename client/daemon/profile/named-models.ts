/**
 * The models that `--models` names, and what they take where that is said:
 *
 *     ocr,timed=x:FP32[1,4],two=a:FP32[1,8];b:INT64[1,8],other=@request.json
 *
 * Inputs are NAME:DATATYPE[SHAPE], several with semicolons between; the first dimension is the rows. A file holds the body
 * of a V2 request.
 */
import { showValue } from "../../../base/error-text.ts";
import { numberOrText } from "../../../base/program/number-or-text.ts";
import { readTextFile } from "../../../base/files.ts";
import { throwUsage } from "../../../base/usage-error.ts";
import { datatypes, isDatatype } from "../../../protocol/datatype.ts";
import { decodeInferRequest } from "../../../protocol/decode.ts";
import type { InferRequest } from "../../../protocol/message.ts";
import { commonRows, cutRows } from "../../../protocol/stack.ts";
import type { DescribedInput, ExampleModel } from "./example-input.ts";
import { exampleOfRows } from "./payload/payload-requests.ts";

/** What the user says of a model: its inputs, or a request. */
export type GivenExample =
  | { readonly kind: "inputs"; readonly inputs: readonly DescribedInput[] }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "request"; readonly request: InferRequest };

/** An example is made in memory: one of more elements is a slip. */
const mostElements = 2 ** 28;

/** What is allowed, in words for an error. */
export const allowedModels = "NAME, NAME=INPUT:DATATYPE[1,SIZE,...] or NAME=@FILE, with commas between";

/**
 * The models by name; undefined for one of which the name alone is given.
 *
 * @throws Error that names the part that does not have this form
 */
export function namedModels(text: string): Map<string, GivenExample | undefined> {
  // Commas within brackets separate sizes.
  const parts = text.split(/,(?![^[]*\])/).map((part) => part.trim());
  return new Map(
    parts.map((part): [string, GivenExample | undefined] => {
      const end = part.indexOf("=");
      const name = end === -1 ? part : part.slice(0, end).trim();
      if (name === "") throw new Error(`"${part}" names no model`);
      if (end === -1) return [name, undefined];
      const said = part.slice(end + 1).trim();
      if (said.startsWith("@")) return [name, { kind: "file", path: said.slice(1) }];
      return [name, { kind: "inputs", inputs: said.split(";").map(inputIn) }];
    }),
  );
}

/**
 * Likewise, with what the files hold.
 *
 * @throws UsageError that names the file when it cannot be read or holds no V2 request
 */
export function readNamedModels(text: string): ReadonlyMap<string, GivenExample | undefined> {
  const models = namedModels(text);
  for (const [name, given] of models) {
    if (given?.kind !== "file") continue;
    const place = `--models: ${given.path}`;
    const body = new TextEncoder().encode(readTextFile(given.path, place));
    try {
      models.set(name, { kind: "request", request: decodeInferRequest(body) });
    } catch (error) {
      throwUsage(new Error(`${place}: ${(error as Error).message}`, { cause: error }));
    }
  }
  return models;
}

/** A request as an example: in any number of rows, its own repeated, where its inputs have rows in common. */
export function exampleOfRequest(name: string, replicas: number, request: InferRequest): ExampleModel {
  const rows = commonRows(request.inputs);
  if (rows === undefined || rows === 0) return { name, replicas, sizes: [1], request: () => request };
  const single = cutRows(
    request.inputs,
    Array.from({ length: rows }, () => 1),
  );
  const { parameters, outputs } = request;
  const others = { parameters, ...(outputs !== undefined && { outputs }) };
  return exampleOfRows(
    { name, replicas },
    single.map((inputs): InferRequest => Object.assign({ inputs }, others)),
  );
}

const inputForm = /^([^:[\]]+):([^:[\]]*)\[([^[\]]*)\]$/;

function inputIn(text: string): DescribedInput {
  const [, name, datatype, list = ""] = inputForm.exec(text.trim()) ?? [];
  if (name === undefined) throw new Error(`"${text}" is no input`);
  if (!isDatatype(datatype))
    throw new Error(`the datatype of "${text}" is ${showValue(datatype)}; allowed: ${datatypes.join(", ")}`);
  const sizes = list.split(",").map(numberOrText);
  const wrong = sizes.find((size, index) => !isSize(size) && !(index === 0 && size === -1));
  if (wrong !== undefined)
    throw new Error(`a size of "${text}" is ${showValue(wrong)}; allowed: an integer, 1 or more`);
  const [rows = 1, ...rowShape] = sizes as number[];
  const elements = rowShape.reduce((product, size) => product * size, Math.max(1, rows));
  if (elements > mostElements)
    throw new Error(`"${text}" has ${elements} elements; allowed: ${mostElements} or fewer`);
  return { name, datatype, rowShape, wholeShape: [Math.max(1, rows), ...rowShape], content: undefined };
}

function isSize(size: number | string): boolean {
  return typeof size === "number" && Number.isInteger(size) && size >= 1;
}
