/** Takes one row through the stages of a pipeline, without knowing processes or queues. */
import { Semaphore } from "../../../base/semaphore.ts";
import { bytesOfElements, elementsOfBytes } from "../../../protocol/bytes-elements.ts";
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
export type StageCall = (stage: ModelStage | StepStage, values: Values) => Promise<Values>;

/** Most items of a row that are under way at once, so that one large page does not fill the queues. */
const mostAtOnce = 32;

/** The values of the row after all stages, or of each of the items that it was spread into. */
export async function runStages(stages: readonly Stage[], row: Values, call: StageCall): Promise<Values[]> {
  const values = new Map(row);
  for (const [index, stage] of stages.entries()) {
    if ("spread" in stage) {
      const rest = stages.slice(index + 1);
      const places = new Semaphore(mostAtOnce);
      const items = spread(stage, values).map((item) =>
        places.run(() => runStages(rest, new Map([...values, ...item]), call)),
      );
      return (await Promise.all(items)).flat();
    }
    if (!isNeeded(stage, values)) continue;
    for (const [name, value] of await call(stage, values)) values.set(`${stage.name}.${name}`, value);
  }
  return [values];
}

/** The value of the first of the columns whose stage was needed. */
export function pick(columns: Columns, values: Values): Value {
  const names = [columns].flat();
  for (const name of names) {
    const value = values.get(name);
    if (value !== undefined) return value;
  }
  const known = [...values.keys()].join(", ");
  throw new ProtocolError(`no earlier stage gave ${names.join(" or ")}; there are: ${known}`, 500);
}

/** The inputs of the model that runs a stage. */
export function inputsOf(stage: ModelStage | StepStage, values: Values): Tensor[] {
  if ("model" in stage)
    return Object.entries(stage.inputs).map(([name, columns]) => renamed(pick(columns, values).tensor, name));
  const { argument } = stage;
  return [
    renamed(pick(stage.picture, values).tensor, "picture"),
    tensorFromStrings("step", [1], [stage.step]),
    argument === undefined
      ? tensorFromStrings("argument", [1], [""])
      : renamed(pick(argument, values).tensor, "argument"),
  ];
}

export function renamed(tensor: Tensor, name: string): Tensor {
  return { ...tensor, name };
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
  if (other !== undefined)
    throw new ProtocolError(`stage ${name}: its lists have ${count} and ${other.items.length} items`, 500);
  return Array.from(
    { length: count },
    (_, index) => new Map(columns.map(({ key, items }) => [`${name}.${key}`, items[index] as Value])),
  );
}

function itemsOf({ tensor, content }: Value): Value[] {
  const { name, data } = tensor;
  if (content === "list") {
    const [list] = elementsOfBytes(data, 1, name);
    return listed(list as Uint8Array).map((bytes) => ({
      tensor: { name, datatype: "BYTES", shape: [1], data: bytesOfElements([bytes]) },
    }));
  }
  const items: unknown = content === "json" ? JSON.parse(tensorToStrings(tensor)[0] as string) : undefined;
  if (!Array.isArray(items)) throw new ProtocolError(`"${name}" is not a list that can be spread`, 500);
  return items.map((item) => ({
    tensor: tensorFromStrings(name, [1], [JSON.stringify(item)]),
    content: "json",
  }));
}

/** The elements of the raw form of a BYTES tensor whose number is not known. */
function listed(data: Uint8Array): Uint8Array[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const items: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += 4 + view.getUint32(at, true)) {
    items.push(data.subarray(at + 4, at + 4 + view.getUint32(at, true)));
  }
  return items;
}
