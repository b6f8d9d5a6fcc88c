/**
 * One row's way through the stages of a pipeline. It knows neither processes nor queues: what a stage does is given to
 * it, and rows of all requests that call the same stage at the same time are joined there.
 */
import { elementsOfBytes, bytesOfElements } from "../../../protocol/bytes-elements.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { type Tensor, tensorFromStrings, tensorToStrings } from "../../../protocol/tensor.ts";
import type { Columns, ModelStage, SpreadStage, Stage, StepStage } from "./pipeline-config.ts";

/** What a column holds for one row. */
export interface Value {
  /** Its first dimension is 1. */
  readonly tensor: Tensor;
  /** Of BYTES: `json` is a JSON document, `list` the raw form of a BYTES tensor within the element. */
  readonly content?: string;
}

export type Values = ReadonlyMap<string, Value>;

/** Runs a stage on one row: its outputs by name. */
export type Call = (stage: ModelStage | StepStage, values: Values) => Promise<Values>;

/** Most items of a row that are under way at once, so that one large page does not fill the queues. */
const mostAtOnce = 32;

/** The values of the row in the end, or of each of the items that it was spread into. */
export async function runStages(stages: readonly Stage[], row: Values, call: Call): Promise<Values[]> {
  const values = new Map(row);
  for (const [index, stage] of stages.entries()) {
    if ("spread" in stage) {
      const rest = stages.slice(index + 1);
      const items = await eachBounded(spread(stage, values), (item) =>
        runStages(rest, new Map([...values, ...item]), call),
      );
      return items.flat();
    }
    if (!isNeeded(stage, values)) continue;
    for (const [name, value] of await call(stage, values)) values.set(`${stage.name}.${name}`, value);
  }
  return [values];
}

/** The value of the first of the columns whose stage was needed. */
export function pick(columns: Columns, values: Values): Value {
  for (const column of [columns].flat()) {
    const value = values.get(column);
    if (value !== undefined) return value;
  }
  throw new ProtocolError(
    `no stage before gave ${[columns].flat().join(" or ")}; there are: ${[...values.keys()].join(", ")}`,
    500,
  );
}

function isNeeded({ when }: ModelStage | StepStage, values: Values): boolean {
  if (when === undefined) return true;
  const value = values.get(when.column);
  return value !== undefined && tensorToStrings(value.tensor)[0] === when.is;
}

function spread({ name, spread: lists }: SpreadStage, values: Values): Map<string, Value>[] {
  const columns = Object.entries(lists).map(([key, column]) => ({
    key,
    items: itemsOf(pick(column, values)),
  }));
  const count = columns[0]?.items.length ?? 0;
  const other = columns.find(({ items }) => items.length !== count);
  if (other !== undefined) {
    throw new ProtocolError(`stage ${name}: its lists have ${count} and ${other.items.length} items`, 500);
  }
  return Array.from(
    { length: count },
    (_, index) => new Map(columns.map(({ key, items }) => [`${name}.${key}`, items[index] as Value])),
  );
}

function itemsOf({ tensor, content }: Value): Value[] {
  const [element] = elementsOfBytes(tensor.data, 1, tensor.name);
  if (content === "list")
    return listed(element as Uint8Array).map((bytes) => ({ tensor: one(tensor.name, bytes) }));
  const [text] = tensorToStrings(tensor);
  const items: unknown = content === "json" ? JSON.parse(text as string) : undefined;
  if (!Array.isArray(items)) throw new ProtocolError(`"${tensor.name}" is no list that can be spread`, 500);
  return items.map((item) => ({
    tensor: tensorFromStrings(tensor.name, [1], [JSON.stringify(item)]),
    content: "json",
  }));
}

function listed(data: Uint8Array): Uint8Array[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const items: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += 4 + view.getUint32(at, true)) {
    items.push(data.subarray(at + 4, at + 4 + view.getUint32(at, true)));
  }
  return items;
}

function one(name: string, bytes: Uint8Array): Tensor {
  return { name, datatype: "BYTES", shape: [1], data: bytesOfElements([bytes]) };
}

async function eachBounded<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await run(items[index] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(mostAtOnce, items.length) }, worker));
  return results;
}
