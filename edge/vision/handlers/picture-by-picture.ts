/** Runs of a model that takes one picture a run: the pictures of a request one after another, their outputs put together. */
import { cutRows, joinRows } from "../../../protocol/stack.ts";
import type { Tensor } from "../../../protocol/tensor.ts";
import type { PictureFormat } from "../pictures/picture-format.ts";
import type { Handler } from "./handler.ts";

/** `predict` of a handler: `run` as it is, unless the model's batch is fixed at 1 and there are more pictures. */
export function pictureByPicture({ fixedRows }: PictureFormat): NonNullable<Handler["predict"]> {
  return async (inputs, run) => {
    const rows = inputs[0]?.shape[0] ?? 1;
    if (fixedRows !== 1 || rows === 1) return run(inputs);
    const outputs: (readonly Tensor[])[] = [];
    for (const one of cutRows(inputs, Array<number>(rows).fill(1))) outputs.push(await run(one));
    return joinRows(outputs);
  };
}
