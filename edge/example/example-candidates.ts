/** Requests of one row that a model may take, the likeliest first: from shapes that are known to work, or from small ones. */
import { seededRandom } from "../../base/random.ts";
import { bytesOfElements } from "../../protocol/bytes-elements.ts";
import { elementBytes } from "../../protocol/datatype.ts";
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";
import { elementCount, type Tensor } from "../../protocol/tensor.ts";
import { madeUpInputs, type RequestForm, requestForms } from "../joining/made-up-request.ts";
import { madeUpPicture } from "./made-up-picture.ts";

/** By input: the shape that it had in a request that worked. */
export type KnownShapes = Readonly<Record<string, readonly number[]>>;

/** Most bytes of the inputs of an example. */
export const mostExampleBytes = 16 * 2 ** 20;
/** Sizes of open dimensions beside those that proofs of joining try: windows of sound have them. */
const furtherSizes = [1, 256, 512] as const;
const seed = 20_261_201;

/** How inputs without numbers are filled. */
type Filling = "text" | "picture";

/**
 * @param known shapes of requests that worked, the most telling first
 * @param isHandled whether a handler takes the inputs, whose bytes then may have to be a file
 */
export function* exampleCandidates(
  metadata: ModelMetadata,
  known: readonly KnownShapes[],
  isHandled: boolean,
): Generator<Tensor[]> {
  const fillings: readonly Filling[] = isHandled ? ["text", "picture"] : ["text"];
  const { inputs } = metadata;
  for (const shapes of known) {
    if (!inputs.every(({ name, shape }) => fits(shape, shapes[name]))) continue;
    const [form] = requestForms(metadata, undefined, [shapes]);
    if (form === undefined) continue;
    for (const filling of fillings) {
      yield inputsOf(inputs, form, filling);
      // The first dimension of some models is not that of rows.
      yield inputsOf(inputs, form, filling, shapes);
    }
  }
  const forms = [...requestForms(metadata, undefined, []), ...furtherForms(inputs)];
  for (const form of forms) {
    for (const filling of fillings) {
      yield inputsOf(inputs, form, filling);
      const other = withRowsInside(inputs, form);
      if (other !== undefined) yield inputsOf(inputs, other, filling);
    }
  }
}

function fits(shape: readonly number[], known: readonly number[] | undefined): boolean {
  return known !== undefined && (shape.length === known.length || shape.length === 0);
}

function furtherForms(inputs: readonly TensorMetadata[]): RequestForm[] {
  if (!inputs.some(({ shape }) => shape.includes(-1, 1))) return [];
  return furtherSizes.map((size) => ({
    values: "narrow",
    shapes: new Map(
      inputs.map(({ name, shape }) => [name, shape.slice(1).map((each) => (each === -1 ? size : each))]),
    ),
  }));
}

function isInside({ shape }: TensorMetadata): boolean {
  return shape[0] !== -1 && shape.includes(-1, 1);
}

/** Where the first dimension of an input is fixed beside others of open rows, its rows are another dimension. */
function withRowsInside(inputs: readonly TensorMetadata[], form: RequestForm): RequestForm | undefined {
  if (!inputs.some(isInside) || !inputs.some(({ shape }) => shape[0] === -1)) return undefined;
  const shapes = inputs.map((input) => {
    const own = form.shapes.get(input.name) ?? [];
    return [
      input.name,
      isInside(input) ? own.map((size, axis) => (input.shape[axis + 1] === -1 ? 1 : size)) : own,
    ] as const;
  });
  return { ...form, shapes: new Map(shapes) };
}

function inputsOf(
  inputs: readonly TensorMetadata[],
  { shapes, values }: RequestForm,
  filling: Filling,
  whole: KnownShapes = {},
): Tensor[] {
  const random = seededRandom(seed);
  return inputs.map((input) => {
    const { name, datatype, shape, parameters } = input;
    const [first = 1] = whole[name] ?? shape;
    const rows = first === -1 ? 1 : first;
    const rest = shapes.get(name) ?? [];
    const count = rows * elementCount(rest);
    const made = { name, datatype, shape: shape.length === 0 ? [...(whole[name] ?? [])] : [rows, ...rest] };
    if (count * (datatype === "BYTES" ? 1 : elementBytes(datatype)) > mostExampleBytes)
      return { ...made, data: new Uint8Array(0) };
    if (datatype === "BYTES" && (parameters?.["content"] === "picture" || filling === "picture"))
      return { ...made, data: bytesOfElements(Array.from({ length: count }, madeUpPicture)) };
    const alone: ModelMetadata = { name: "", platform: "", inputs: [input], outputs: [] };
    const [tensor] = madeUpInputs(alone, { shapes, values }, rows, random);
    return { ...made, data: (tensor as Tensor).data };
  });
}
