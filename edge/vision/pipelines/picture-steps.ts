/** The steps that pipelines do to pictures, as a handler: a row is a picture, a step and its argument. */
import { z } from "zod";
import { bytesOfElements, elementsOfBytes } from "../../../protocol/bytes-elements.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { type Tensor, tensorToStrings } from "../../../protocol/tensor.ts";
import type { Handler } from "../handlers/handler.ts";
import { encodePicture, withPicture } from "../pictures/picture.ts";
import { cutQuad, quadPixels, turnAround } from "../pictures/cut-quad.ts";

const boxes = z
  .array(z.object({ corners: z.array(z.tuple([z.number(), z.number()])).length(4) }))
  .max(10_000);

/** Of all parts that are cut out of one picture. */
const mostCutPixels = 50_000_000;

type Step = (picture: Uint8Array, argument: string) => Promise<Uint8Array>;

const steps: Readonly<Record<string, Step>> = {
  /** The parts of a picture within the boxes, as a list. */
  crop: (file, argument) =>
    withPicture(file, async (picture) => {
      const quads = boxes
        .parse(JSON.parse(argument))
        .map(({ corners }) => corners.map(([x, y]) => ({ x, y })));
      const pixels = quads.reduce((sum, quad) => sum + quadPixels(quad), 0);
      if (pixels > mostCutPixels)
        throw new ProtocolError(`the boxes have ${pixels} pixels; allowed: at most ${mostCutPixels} in all`);
      return bytesOfElements(await Promise.all(quads.map((quad) => encodePicture(cutQuad(picture, quad)))));
    }),
  /** The picture turned by 180 degrees. */
  turn: (file) => withPicture(file, (picture) => encodePicture(turnAround(picture))),
};

export function pictureSteps(): Handler {
  return {
    inputs: ["picture", "step", "argument"].map((name) => ({ name, datatype: "BYTES", shape: [-1] })),
    outputs: [{ name: "result", datatype: "BYTES", shape: [-1] }],
    async preprocess(inputs) {
      const named = (name: string): Tensor => inputs.find((input) => input.name === name) as Tensor;
      const picture = named("picture");
      const rows = picture.shape[0] as number;
      const files = elementsOfBytes(picture.data, rows, "picture");
      const names = tensorToStrings(named("step"));
      const args = tensorToStrings(named("argument"));
      const results = await Promise.all(
        files.map((file, row) => stepNamed(names[row] as string)(file, args[row] as string)),
      );
      const data = bytesOfElements(results);
      return { inputs: [{ name: "result", datatype: "BYTES", shape: [rows], data }] };
    },
  };
}

function stepNamed(name: string): Step {
  const step = Object.hasOwn(steps, name) ? steps[name] : undefined;
  if (step !== undefined) return step;
  throw new ProtocolError(`no step "${name}"; allowed: ${Object.keys(steps).join(", ")}`);
}
