/** Makes the tensors of a request from a message. */
import { Buffer } from "node:buffer";
import { showValue } from "../../../../../../base/error-text.ts";
import { bytesOfElements } from "../../../../../../protocol/bytes-elements.ts";
import type { Datatype, FixedDatatype } from "../../../../../../protocol/datatype.ts";
import { packNumbers } from "../../../../../../protocol/number-elements.ts";
import {
  checkTensor,
  elementCount,
  shapeText,
  type Tensor,
  tensorFromStrings,
} from "../../../../../../protocol/tensor.ts";
import type { NoteConfigFault } from "../config/config-faults.ts";
import type { InputConfig } from "../config/input-fields.ts";
import { bytesFromBase64, bytesFromHex } from "../coding/bytes-text.ts";
import { MessageError } from "../view/message-error.ts";
import { jsonText } from "../view/message-json.ts";
import type { MessageView } from "../view/message-view.ts";
import { parsePath, type ValuePath } from "../view/value-path.ts";
import { type AddValues, compileSource, type InputValue } from "./value-source.ts";

/** Most values that one message gives an input. */
const mostValues = 2 ** 20;

/** An input whose values come from one message. */
export interface PlainInput {
  readonly kind: "plain";
  readonly make: (view: MessageView) => Tensor;
}

/** An input of the values of several messages. */
export interface WindowedInput {
  readonly kind: "windowed";
  /** Messages in the window. */
  readonly steps: number;
  readonly valuesOf: (view: MessageView) => readonly InputValue[];
  /** @param rows the values of each message, the oldest first */
  readonly make: (rows: readonly (readonly InputValue[])[]) => Tensor;
}

const forms = ["values", "base64", "hex", "payload", "json"] as const;

/**
 * @param roots the names with which paths may begin
 * @returns undefined when faults were noted
 */
export function compileInput(
  input: InputConfig,
  roots: readonly string[],
  note: NoteConfigFault,
): PlainInput | WindowedInput | undefined {
  const given = forms.filter((form) => input[form] !== undefined);
  const [form] = given;
  if (form === undefined || given.length > 1) {
    const has = given.length > 1 ? `has ${given.join(" and ")}` : "says not where its values come from";
    note([], `${has}; allowed: one of ${forms.join(", ")}`);
    return undefined;
  }
  if (form === "values") return compileValues(input, roots, note);
  if (input.window !== undefined) {
    note(["window"], `stands beside ${form}; allowed: beside values`);
    return undefined;
  }
  if (form === "json" && input.datatype !== "BYTES") {
    note(["datatype"], `is ${input.datatype}; allowed beside json: BYTES`);
    return undefined;
  }
  const bytesOf = form === "payload" ? payloadBytes : pathBytes(input, form, roots, note);
  if (bytesOf === undefined) return undefined;
  if (input.datatype !== "BYTES" && input.shape === undefined) {
    note([], `has no shape; raw numbers of ${input.datatype} need one`);
    return undefined;
  }
  const shape = input.shape ?? [1];
  if (input.datatype === "BYTES" && elementCount(shape) !== 1) {
    note(["shape"], `is ${shapeText(shape)}; allowed: one element, such as [1]`);
    return undefined;
  }
  return { kind: "plain", make: (view) => tensorOfBytes(input, shape, bytesOf(view)) };
}

const payloadBytes = (view: MessageView): Uint8Array => view.bytes;

function pathBytes(
  input: InputConfig,
  form: "base64" | "hex" | "json",
  roots: readonly string[],
  note: NoteConfigFault,
): ((view: MessageView) => Uint8Array) | undefined {
  const path = pathOf(input[form] as string, form, roots, note);
  if (path === undefined) return undefined;
  return (view) => {
    const found = path.find(view as unknown as Record<string, unknown>);
    if (found === undefined || (found === null && form !== "json"))
      throw new MessageError("missing_point", `${path.text} is ${found === null ? "null" : "missing"}`);
    if (form === "json") return Buffer.from(jsonText(found));
    const decode = form === "base64" ? bytesFromBase64 : bytesFromHex;
    const bytes = typeof found === "string" ? decode(found) : undefined;
    if (bytes !== undefined) return bytes;
    const allowed = `a text in ${form === "base64" ? "base64" : "hexadecimal"}`;
    throw new MessageError("wrong_type", `${path.text} is ${showValue(found)}; allowed: ${allowed}`);
  };
}

function pathOf(
  text: string,
  key: string,
  roots: readonly string[],
  note: NoteConfigFault,
): ValuePath | undefined {
  try {
    return parsePath(text, roots);
  } catch (error) {
    note([key], `is ${showValue(text)}; ${(error as Error).message}`);
    return undefined;
  }
}

function tensorOfBytes({ name, datatype }: InputConfig, shape: readonly number[], bytes: Uint8Array): Tensor {
  if (datatype === "BYTES") return { name, datatype, shape, data: bytesOfElements([bytes]) };
  const tensor = { name, datatype, shape, data: bytes };
  try {
    checkTensor(tensor, `input ${showValue(name)}`);
  } catch (error) {
    throw new MessageError("wrong_count", (error as Error).message);
  }
  return tensor;
}

function compileValues(
  input: InputConfig,
  roots: readonly string[],
  note: NoteConfigFault,
): PlainInput | WindowedInput | undefined {
  const { datatype, window, values: sources = [] } = input;
  if (datatype === "BF16") {
    note(
      ["datatype"],
      "is BF16; allowed beside values: all others; beside base64, hex and payload: BF16 too",
    );
    return undefined;
  }
  if (datatype === "BYTES" && window !== undefined) {
    note(["window"], "stands beside texts; allowed: beside numbers");
    return undefined;
  }
  const adders: AddValues[] = [];
  for (const [index, source] of sources.entries()) {
    try {
      adders.push(compileSource(source, datatype, roots));
    } catch (error) {
      const shown = typeof source === "string" ? `is ${showValue(source)}; ` : "";
      note(["values", index], `${shown}${(error as Error).message}`);
    }
  }
  if (adders.length < sources.length) return undefined;
  const count = input.shape === undefined ? undefined : elementCount(input.shape);
  if (count !== undefined && window !== undefined && count % window !== 0) {
    note(
      ["shape"],
      `is ${shapeText(input.shape ?? [])}; allowed: a multiple of the window of ${window} values`,
    );
    return undefined;
  }
  const valuesOf = (view: MessageView): InputValue[] => {
    const values: InputValue[] = [];
    for (const add of adders) {
      add(values, view);
      if (values.length > mostValues)
        throw new MessageError(
          "too_large",
          `input ${showValue(input.name)} has more than ${mostValues} values`,
        );
    }
    const wanted = count === undefined ? undefined : count / (window ?? 1);
    if (values.length === 0 || (wanted !== undefined && values.length !== wanted))
      throw new MessageError(
        "wrong_count",
        `input ${showValue(input.name)} has ${values.length} values; allowed: ${wanted ?? "1 or more"}`,
      );
    return values;
  };
  if (window === undefined) return { kind: "plain", make: (view) => tensorOfValues(input, valuesOf(view)) };
  return {
    kind: "windowed",
    steps: window,
    valuesOf: (view) => {
      const values = valuesOf(view);
      // A value that does not fit is found now, because in the window it would spoil the messages that follow.
      packed(input.name, datatype as FixedDatatype, [values.length], values);
      return values;
    },
    make: (rows) => tensorOfRows(input, rows),
  };
}

function tensorOfValues({ name, datatype, shape }: InputConfig, values: readonly InputValue[]): Tensor {
  if (datatype === "BYTES")
    return tensorFromStrings(
      name,
      shape ?? (values.length === 1 ? [1] : [1, values.length]),
      values as string[],
    );
  return packed(name, datatype, shape ?? [1, values.length], values);
}

function tensorOfRows(
  { name, datatype, shape, windowOrder }: InputConfig,
  rows: readonly (readonly InputValue[])[],
): Tensor {
  const [first = []] = rows;
  if (rows.some((row) => row.length !== first.length))
    throw new MessageError(
      "wrong_count",
      `input ${showValue(name)}: the messages of the window have different numbers of values`,
    );
  const isStepsFirst = windowOrder === "steps-first";
  const flat = isStepsFirst
    ? rows.flat()
    : first.flatMap((_, index) => rows.map((row) => row[index] as InputValue));
  const dimensions = isStepsFirst ? [1, rows.length, first.length] : [1, first.length, rows.length];
  return packed(name, datatype as FixedDatatype, shape ?? dimensions, flat);
}

function packed(
  name: string,
  datatype: Exclude<Datatype, "BYTES">,
  shape: readonly number[],
  values: readonly InputValue[],
): Tensor {
  const place = `input ${showValue(name)}`;
  const data = packNumbers(datatype, [values], values.length, { place, finite: true, halves: true });
  return { name, datatype, shape, data };
}
