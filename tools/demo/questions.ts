/**
 * What the demo asks and how it knows the right answers: each request is one rendered line of text as a V2
 * body, with a check of the answer against the text that was rendered.
 */
import { decodeCtc } from "../../algorithms/ctc-decode.ts";
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { InferResponse, WireBody } from "../../protocol/message.ts";
import { type Tensor, tensorToNumbers } from "../../protocol/tensor.ts";
import { lineInput } from "./line-input.ts";
import { readDirection } from "./read-line.ts";
import type { Line } from "./text-lines.ts";

export interface Question {
  readonly id: string;
  readonly wire: WireBody;
  /** True when the answer is the right one. */
  isRight(answer: InferResponse): boolean;
}

/** How an answer of a model is read: what it says about a line. */
type Reader = (output: Tensor, line: Line) => boolean;

const readers: Readonly<Record<"ocr-cls" | "ocr-rec", (dictionary: readonly string[]) => Reader>> = {
  "ocr-cls": () => (output, line) => readDirection(floats(output)) === line.upsideDown,
  "ocr-rec": (dictionary) => (output, line) => {
    const [, steps = 0, classes = 0] = output.shape;
    return decodeCtc(floats(output), steps, classes, dictionary).text === line.text;
  },
};

/**
 * One question for each line.
 *
 * @param dictionary the characters that `ocr-rec` tells apart
 */
export async function askAbout(
  model: "ocr-cls" | "ocr-rec",
  lines: readonly Line[],
  dictionary: readonly string[],
  onProgress: (done: number) => void,
): Promise<Question[]> {
  const read = readers[model](dictionary);
  const questions: Question[] = [];
  for (const [index, line] of lines.entries()) {
    // Only the direction's model is asked about lines that are upside down; the reader expects them upright.
    const shown = model === "ocr-cls" ? line : { ...line, upsideDown: false };
    const input = await lineInput("x", shown);
    const id = String(index);
    questions.push({
      id,
      wire: encodeInferRequest({ id, parameters: {}, inputs: [input] }, { binary: true }),
      isRight: (answer) =>
        answer.id === id && answer.outputs[0] !== undefined && read(answer.outputs[0], line),
    });
    onProgress(index + 1);
  }
  return questions;
}

/** Throws a ProtocolError when the body is no V2 answer. */
export function decodeAnswer(wire: WireBody): InferResponse {
  return decodeInferResponse(wire.body, wire.headerBytes);
}

function floats(output: Tensor): Float32Array {
  return Float32Array.from(tensorToNumbers(output));
}
