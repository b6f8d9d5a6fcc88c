/** What the tensors of a model say about rows: whether their first dimension can be that of a batch, and its fixed size. */
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";
import { commonRows } from "../../protocol/stack.ts";
import type { Tensor } from "../../protocol/tensor.ts";

/** For each tensor the names of its dimensions, as the model's file has them; "" where a dimension has none. */
export interface DimensionNames {
  readonly inputs: readonly (readonly string[])[];
  readonly outputs: readonly (readonly string[])[];
}

export interface RowStructure {
  /** N, when the first dimension of every input and output is fixed at N. */
  readonly fixedRows?: number;
  /** Why rows of several requests should not run together; undefined when the tensors do not speak against it. */
  readonly obstacle?: string;
  /** True when no setting can help: some input has no first dimension that could be that of the rows. */
  readonly isImpossible?: boolean;
}

/** A tensor with its place in words and the names of its dimensions. */
interface Placed extends TensorMetadata {
  readonly place: string;
  readonly names: readonly string[];
}

/** Names that exporters number through (tf2onnx, Paddle2ONNX): different ones may still be the same dimension. */
const numberedName = /^(\?|None|-1|unk__\d+|(p2o\.)?DynamicDimension\.\d+)?$/;

/**
 * @example
 * rowStructure({ inputs: [{ shape: [-1, 4], ... }], outputs: [{ shape: [-1, 2], ... }], ... }); // {}
 * rowStructure({ inputs: [{ shape: [8, 4], ... }], outputs: [{ shape: [8, 2], ... }], ... }); // { fixedRows: 8 }
 */
export function rowStructure(metadata: ModelMetadata, dimensions?: DimensionNames): RowStructure {
  if (dimensions !== undefined) return structureOf(metadata, dimensions);
  // Every request asks, and metadata does not change.
  let known = structures.get(metadata);
  if (known === undefined) structures.set(metadata, (known = structureOf(metadata)));
  return known;
}

const structures = new WeakMap<ModelMetadata, RowStructure>();

function structureOf(metadata: ModelMetadata, dimensions?: DimensionNames): RowStructure {
  const inputs = metadata.inputs.map((tensor, index) => placed("input", tensor, dimensions?.inputs[index]));
  const outputs = metadata.outputs.map((tensor, index) =>
    placed("output", tensor, dimensions?.outputs[index]),
  );
  const all = [...inputs, ...outputs];
  if (inputs.length === 0) return { obstacle: "the model has no inputs", isImpossible: true };
  const first = inputs[0]?.shape[0];
  if (first !== undefined && first >= 1 && all.every(({ shape }) => shape[0] === first))
    return { fixedRows: first };
  const withoutRows = all.find(({ shape }) => shape[0] !== -1);
  if (withoutRows !== undefined)
    return { obstacle: whyNoRows(withoutRows), isImpossible: inputs.includes(withoutRows) };
  const obstacle = differentNames(all) ?? secondUse(all);
  return obstacle === undefined ? {} : { obstacle };
}

/** Rows that all inputs have in common, 1 or more; undefined when they have none, and the request runs alone. */
export function requestRows(inputs: readonly Tensor[]): number | undefined {
  return commonRows(inputs) || undefined;
}

function placed(kind: string, tensor: TensorMetadata, names: readonly string[] = []): Placed {
  return { ...tensor, place: `${kind} "${tensor.name}"`, names };
}

function whyNoRows({ place, shape }: Placed): string {
  return shape.length === 0
    ? `${place} is a scalar or of unknown rank`
    : `the first dimension of ${place} is fixed at ${shape[0]}`;
}

function differentNames(tensors: readonly Placed[]): string | undefined {
  const named = tensors.filter(({ names }) => !numberedName.test(names[0] ?? ""));
  const [first] = named;
  const other = named.find(({ names }) => names[0] !== first?.names[0]);
  if (first === undefined || other === undefined) return undefined;
  return `the first dimensions of ${first.place} ("${first.names[0]}") and ${other.place} ("${other.names[0]}") differ in name`;
}

/** The dimension of the rows occurs again further back, as in a matrix of all rows by all rows. */
function secondUse(tensors: readonly Placed[]): string | undefined {
  const names = new Set(
    tensors.map((each) => each.names[0] ?? "").filter((name) => !numberedName.test(name)),
  );
  for (const { place, names: own } of tensors) {
    const axis = own.findIndex((name, index) => index > 0 && names.has(name));
    if (axis > 0) return `dimension ${axis} of ${place} has the name of the rows, "${own[axis]}"`;
  }
  return undefined;
}
