/** Whether inputs fit a model. Apart from running it, so that what cannot run is refused before it waits with others. */
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelMetadata } from "../../protocol/message.ts";
import type { Tensor } from "../../protocol/tensor.ts";

/** @throws ProtocolError when an input is missing, unknown, or of another type or shape than the model's */
export function checkInputs(metadata: ModelMetadata, inputs: readonly Tensor[]): void {
  for (const { name } of inputs) {
    if (!metadata.inputs.some((wanted) => wanted.name === name)) {
      const known = metadata.inputs.map((wanted) => wanted.name).join(", ");
      throw new ProtocolError(`model ${metadata.name} has no input "${name}"; it has: ${known}`);
    }
  }
  for (const wanted of metadata.inputs) {
    const input = inputs.find(({ name }) => name === wanted.name);
    if (input === undefined)
      throw new ProtocolError(`input "${wanted.name}" of model ${metadata.name} is missing`);
    const fits =
      input.datatype === wanted.datatype &&
      input.shape.length === wanted.shape.length &&
      wanted.shape.every((size, axis) => size === -1 || size === input.shape[axis]);
    if (!fits) {
      throw new ProtocolError(
        `input "${input.name}" is ${input.datatype}[${input.shape.join(",")}];` +
          ` model ${metadata.name} takes ${wanted.datatype}[${wanted.shape.join(",")}] (-1: any size)`,
      );
    }
  }
}

/** Whether rows of different requests may run together: every tensor's first dimension is one that may vary. */
export function joinsRows({ inputs, outputs }: ModelMetadata): boolean {
  return [...inputs, ...outputs].every(({ shape }) => shape[0] === -1);
}
