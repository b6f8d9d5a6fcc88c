/**
 * What a model takes, from its V2 metadata, and requests to measure it with: zeros in shapes that the model allows. For
 * an open dimension other than the batch, the server must name an example.
 */
import { z } from "zod";
import { type Datatype, elementBytes, isDatatype } from "../../../protocol/datatype.ts";
import type { InferRequest } from "../../../protocol/message.ts";

/** Most bytes of the inputs that are made up: what is larger is no example of what callers send. */
const mostInputBytes = 64 * 2 ** 20;
/** Most dimensions of an input, and most inputs, that anything is made up for. */
const mostDimensions = 32;
const mostInputs = 1_024;

/** What is of no use here may have any form, because servers differ. */
const metadata = z.object({
  inputs: z
    .array(
      z.object({
        name: z.string(),
        datatype: z.string().refine(isDatatype, "is no datatype of the protocol"),
        shape: z.array(z.coerce.number().int()).max(mostDimensions),
        parameters: z
          .object({
            example_shape: z.string().optional().catch(undefined),
            content: z.string().optional().catch(undefined),
          })
          .optional()
          .catch(undefined),
      }),
    )
    .min(1)
    .max(mostInputs),
  parameters: z
    .object({ replicas: z.number().int().min(1).max(1_000).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

export interface ExampleModel {
  readonly name: string;
  /** Batches that the edge serves at once. */
  readonly replicas: number;
  /** Rows of the batches that are worth measuring, ascending; undefined where all are. */
  readonly sizes?: readonly number[];
  /** A request of so many rows. */
  request(rows: number): InferRequest;
}

export interface DescribedInput {
  readonly name: string;
  readonly datatype: Datatype;
  /** Of one row, without the batch dimension. */
  readonly rowShape: readonly number[];
  /** Of a request as such: with its first dimension, which is 1 where it may vary; a scalar has none. */
  readonly wholeShape: readonly number[];
  /** What the bytes must be, such as `picture`; undefined where any value does. */
  readonly content: string | undefined;
}

export interface DescribedModel {
  readonly name: string;
  readonly replicas: number;
  readonly inputs: readonly DescribedInput[];
}

/**
 * What a model takes.
 *
 * @example
 * const { body } = await transport.get("/v2/models/ocr-cls", 5_000);
 * describedModel("ocr-cls", body).inputs; // [{ name: "x", datatype: "FP32", rowShape: [3, 48, 192], content: undefined }]
 *
 * @param body the server's answer to GET v2/models/{name}
 * @param openSize stands for every open dimension of which the server names no example; undefined: that is an error
 * @throws Error that says why no input can be made
 */
export function describedModel(name: string, body: Uint8Array, openSize?: number): DescribedModel {
  const read = metadata.safeParse(JSON.parse(new TextDecoder().decode(body)));
  if (!read.success) throw new Error(`its metadata makes no sense: ${z.prettifyError(read.error)}`);
  const inputs = read.data.inputs.map((input) => describedInput(input, openSize));
  const bytes = inputs.reduce((sum, input) => sum + bytesOf(input), 0);
  if (!(bytes <= mostInputBytes)) throw new Error(`its inputs take ${bytes} bytes, too many to be made up`);
  return { name, replicas: read.data.parameters?.replicas ?? 1, inputs };
}

/**
 * The model with requests of any number of rows, all zeros.
 *
 * @example
 * exampleOfZeros(model).request(4).inputs[0].shape; // [4, 3, 48, 192]
 *
 * @throws Error when an input takes more than zeros, such as a picture
 */
export function exampleOfZeros({ name, replicas, inputs }: DescribedModel): ExampleModel {
  const special = inputs.find(({ content }) => content !== undefined);
  if (special !== undefined)
    throw new Error(`input ${special.name} takes a ${special.content}, and zeros are none`);
  return {
    name,
    replicas,
    request: (rows) => ({
      parameters: {},
      inputs: inputs.map((input) => zeros(input, [rows, ...input.rowShape])),
    }),
  };
}

/**
 * The model with single requests alone, all zeros, in shapes as they are: for a model whose rows are not joined, and for
 * inputs without rows.
 *
 * @throws Error when an input takes more than zeros, such as a picture
 */
export function loneExampleOfZeros(model: DescribedModel): ExampleModel {
  const { name, replicas } = exampleOfZeros(model);
  const inputs = model.inputs.map((input) => zeros(input, input.wholeShape));
  return { name, replicas, sizes: [1], request: () => ({ parameters: {}, inputs }) };
}

function describedInput(
  { name, datatype, shape, parameters }: z.output<typeof metadata>["inputs"][number],
  openSize: number | undefined,
): DescribedInput {
  const example = shape.includes(-1, 1)
    ? exampleShape(name, shape, parameters?.example_shape, openSize)
    : shape;
  const rowShape = example.slice(1);
  const [first] = shape;
  const rows = first === undefined || first >= 0 ? first : Math.max(1, example[0] ?? 1);
  const wholeShape = rows === undefined ? [] : [rows, ...rowShape];
  if (example.length !== shape.length || rowShape.some((size) => !(size >= 0))) {
    throw new Error(
      `the example shape of input ${name} is [${[1, ...rowShape].join(",")}]; its shape is [${shape.join(",")}]`,
    );
  }
  if (!(bytesOf({ datatype, wholeShape }) <= mostInputBytes))
    throw new Error(`input ${name} of shape [${wholeShape.join(",")}] is too large to be made up`);
  return { name, datatype, rowShape, wholeShape, content: parameters?.content };
}

/** Of zeros in the shape of a request, which has one row at least. */
function bytesOf({ datatype, wholeShape }: Pick<DescribedInput, "datatype" | "wholeShape">): number {
  const [rows = 1, ...rowShape] = wholeShape;
  return zeroBytes(datatype) * Math.max(1, rows) * rowShape.reduce((product, size) => product * size, 1);
}

/** Zeros are a value of every datatype; a string without characters is a length of 0 in 4 bytes. */
function zeroBytes(datatype: Datatype): number {
  return datatype === "BYTES" ? 4 : elementBytes(datatype);
}

function exampleShape(
  name: string,
  shape: readonly number[],
  text: string | undefined,
  openSize: number | undefined,
): number[] {
  if (text !== undefined) return z.array(z.number().int()).parse(JSON.parse(text));
  if (openSize !== undefined)
    return shape.map((size, axis) => (size !== -1 ? size : axis === 0 ? 1 : openSize));
  throw new Error(`input ${name} has an open dimension, and the server names no example`);
}

function zeros({ name, datatype }: DescribedInput, shape: readonly number[]): InferRequest["inputs"][number] {
  const elements = shape.reduce((product, size) => product * size, 1);
  return { name, datatype, shape: [...shape], data: new Uint8Array(elements * zeroBytes(datatype)) };
}
