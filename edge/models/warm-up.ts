/** The inputs of a warm-up run: zeros of the shapes that a model's settings name, and empty texts for BYTES. */
import { elementBytes } from "../../protocol/datatype.ts";
import type { ModelMetadata } from "../../protocol/message.ts";
import { elementCount, type Tensor } from "../../protocol/tensor.ts";

/** Bytes of an empty text: its length alone. */
const emptyTextBytes = 4;

/** @throws Error when a shape is given for an input that the model does not have, or is not of its rank */
export function zeros(
  metadata: ModelMetadata,
  shapes: Readonly<Record<string, readonly number[]>>,
): Tensor[] {
  return Object.entries(shapes).map(([name, shape]) => {
    const input = metadata.inputs.find((each) => each.name === name);
    if (input === undefined || input.shape.length !== shape.length) {
      const wanted = metadata.inputs.map((each) => `${each.name} [${each.shape.join(",")}]`).join(", ");
      throw new Error(
        `warmUp has "${name}" of shape [${shape.join(",")}]; the model takes ${wanted} (-1: any size)`,
      );
    }
    const { datatype } = input;
    const bytes = datatype === "BYTES" ? emptyTextBytes : elementBytes(datatype);
    return { name, datatype, shape, data: new Uint8Array(elementCount(shape) * bytes) };
  });
}
