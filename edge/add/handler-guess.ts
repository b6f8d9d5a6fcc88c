/** Which built-in handler could fit a model, from what its metadata says, and why. */
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";

export interface HandlerGuess {
  readonly handler: "image-classification" | "object-detection";
  readonly settings: Readonly<Record<string, string | number>>;
  /** One clause. */
  readonly why: string;
}

/** A frame of pictures. */
interface Frame {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** Most classes that a list of scores is taken for, and fewest. */
const classes = { fewest: 2, most: 100_000 };
/** Values of a box besides the scores of its classes. */
const boxValues = [4, 5] as const;

/**
 * @example
 * guessHandlers(metadata); // [{ handler: "image-classification", settings: { width: 224, height: 224 }, why: "…" }]
 *
 * @returns the likeliest first; none when the model does not take a picture
 */
export function guessHandlers({ inputs, outputs }: ModelMetadata): HandlerGuess[] {
  const [input, ...others] = inputs;
  const frame = input === undefined || others.length > 0 ? undefined : frameOf(input);
  if (frame === undefined) return [];
  const size = `${frame.width} x ${frame.height}`;
  const settings = { width: frame.width, height: frame.height };
  const picture = `its input is a picture of ${size} in ${frame.channels === 1 ? "grey" : "colour"}`;
  const guesses: HandlerGuess[] = [];
  const scores = outputs.find((output) => scoresIn(output) !== undefined);
  if (scores !== undefined && outputs.length <= 2) {
    const why = `${picture}, and its output "${scores.name}" looks like scores of ${scoresIn(scores)} classes`;
    guesses.push({ handler: "image-classification", settings, why });
  }
  const boxes = outputs.find(({ shape }) => shape.length === 3 && shape.slice(1).every((each) => each >= 4));
  if (boxes !== undefined) {
    const [, a = 0, b = 0] = boxes.shape;
    const extra = a < b ? boxValues[0] : boxValues[1];
    const layout = a < b ? "yolo" : "yolo-objectness";
    const why = `${picture}, and its output "${boxes.name}" looks like ${Math.max(a, b)} boxes with ${
      Math.min(a, b) - extra
    } classes`;
    guesses.push({ handler: "object-detection", settings: { ...settings, outputs: layout }, why });
  }
  return guesses;
}

function frameOf({ datatype, shape }: TensorMetadata): Frame | undefined {
  if (shape.length !== 4 || !["FP32", "FP16", "UINT8"].includes(datatype)) return undefined;
  const [, a = 0, b = 0, c = 0] = shape;
  const isFirst = a === 1 || a === 3;
  const [channels, height, width] = isFirst ? [a, b, c] : [c, a, b];
  if (channels !== 1 && channels !== 3) return undefined;
  if (height < 8 || width < 8) return undefined;
  return { width, height, channels };
}

function scoresIn({ datatype, shape }: TensorMetadata): number | undefined {
  if (datatype !== "FP32" && datatype !== "FP16") return undefined;
  const [count, ...more] = shape.slice(1).filter((size) => size !== 1);
  if (count === undefined || more.length > 0) return undefined;
  return count >= classes.fewest && count <= classes.most ? count : undefined;
}
