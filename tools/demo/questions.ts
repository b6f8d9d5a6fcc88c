/**
 * What the demo asks and how it knows the right answers: each request is one rendered line of text, which differs from
 * all others, and the answer must say whether that line is upside down.
 */
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { InferResponse, WireBody } from "../../protocol/message.ts";
import { tensorToNumbers } from "../../protocol/tensor.ts";
import {
  LINE_HEIGHT_PX,
  LINE_WIDTH_PX,
  renderLine,
} from "../../client/daemon/profile/payload/render-line.ts";
import type { TextLine } from "../../client/daemon/profile/payload/text-lines.ts";

export interface Question {
  readonly wire: WireBody;
  /** True when the answer is the right one. */
  isRight(answer: InferResponse): boolean;
}

/**
 * Draws one question for each line in the background, from now on.
 *
 * @returns waits for the first `count` questions, and lets the drawing end with them
 */
export function drawQuestions(lines: readonly TextLine[]): (count: number) => Promise<readonly Question[]> {
  const questions: Question[] = [];
  let needed = lines.length;
  const draw = async (): Promise<void> => {
    while (questions.length < needed) {
      questions.push(await questionAbout(lines[questions.length] as TextLine, String(questions.length)));
    }
  };
  const drawn = draw();
  // A failure is thrown to who waits for the questions.
  drawn.catch(() => {});
  return async (count) => {
    needed = count;
    await drawn;
    return questions.slice(0, count);
  };
}

async function questionAbout(line: TextLine, id: string): Promise<Question> {
  const pixels = await renderLine(line, { widthPx: LINE_WIDTH_PX });
  return {
    wire: pictureRequest(id, pixels),
    isRight: ({ id: answered, outputs: [output] }) =>
      answered === id && output !== undefined && readDirection(tensorToNumbers(output)) === line.upsideDown,
  };
}

/** What no line stands on, as a request. */
export function blankRequest(): WireBody {
  return pictureRequest("", new Uint8Array(LINE_HEIGHT_PX * LINE_WIDTH_PX).fill(255));
}

/** Grey values; the demo's model makes of them what ocr-cls takes, which is twelve times as large. */
function pictureRequest(id: string, pixels: Uint8Array): WireBody {
  const shape = [1, LINE_HEIGHT_PX, LINE_WIDTH_PX];
  const inputs = [{ name: "x", datatype: "UINT8", shape, data: pixels } as const];
  return encodeInferRequest({ id, parameters: {}, inputs }, { binary: true });
}

/** Throws a ProtocolError when the body is no V2 answer. */
export function decodeAnswer(wire: WireBody): InferResponse {
  return decodeInferResponse(wire.body, wire.headerBytes);
}

/**
 * Whether the line is upside down, by one row of ocr-cls.
 *
 * @param probabilities of 0 degrees and of 180 degrees
 * @throws RangeError when there are not two numbers
 */
export function readDirection(probabilities: ArrayLike<number>): boolean {
  const [upright = Number.NaN, turned = Number.NaN] = Array.from(probabilities);
  if (probabilities.length !== 2 || Number.isNaN(upright) || Number.isNaN(turned)) {
    throw new RangeError(`probabilities must be two numbers, got [${Array.from(probabilities).join(", ")}]`);
  }
  return turned > upright;
}
