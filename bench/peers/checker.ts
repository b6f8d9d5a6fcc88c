/** A slow client beside the load whose tensors are all different, so that an answer of another request is noticed. */
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import type { Tensor } from "../../protocol/tensor.ts";
import type { PeerModel } from "./cells.ts";
import type { Contender, PeerRequest } from "./contenders.ts";

export interface CheckedRow {
  readonly row: Tensor;
  /** The bytes of the model's answer. */
  readonly expected: Uint8Array;
}

export interface Checked {
  /** Answers with 200 that were compared. */
  checked: number;
  wrong: number;
}

/** Runs in other versions of ONNX Runtime and in batches differ by rounding. */
const tolerance = 1e-3;

/** Asks one request after another, twenty a second at most, until the signal is aborted. @param result counts on meanwhile */
export async function checkAnswers(
  contender: Contender,
  port: number,
  requests: readonly PeerRequest[],
  samples: readonly CheckedRow[],
  model: PeerModel,
  signal: AbortSignal,
  result: Checked = { checked: 0, wrong: 0 },
): Promise<Checked> {
  const client = new Pool(`http://127.0.0.1:${port}`, { connections: 1 });
  for (let at = 0; !signal.aborted; at = (at + 1) % samples.length) {
    const { path, headers, body } = requests[at] as PeerRequest;
    try {
      const answer = await client.request({ method: "POST", path, headers, body, signal });
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      if (answer.statusCode === 200) {
        result.checked++;
        const { expected } = samples[at] as CheckedRow;
        if (!isSameTensor(contender.tensorOf(bytes, answer.headers), expected, model)) result.wrong++;
      }
    } catch (error) {
      // A request that was refused, or cut off at the end, is no wrong answer; one that cannot be read is.
      if (error instanceof SyntaxError || error instanceof TypeError) result.wrong++;
    }
    await delay(50, undefined, { signal }).catch(() => {});
  }
  await client.destroy();
  return result;
}

/** Bytes must be the same; the scores of `ocr-cls`, which are FP32, may differ by rounding. */
export function isSameTensor(given: Uint8Array, expected: Uint8Array, model: PeerModel): boolean {
  if (given.byteLength !== expected.byteLength) return false;
  if (model !== "ocr-cls") return Buffer.compare(given, expected) === 0;
  const [scores, wanted] = [given, expected].map(floats) as [Float32Array, Float32Array];
  return scores.every((score, index) => Math.abs(score - (wanted[index] ?? Number.NaN)) <= tolerance);
}

/** A view needs a multiple of four as its offset, which the bytes of an answer need not have. */
const floats = (bytes: Uint8Array): Float32Array => new Float32Array(new Uint8Array(bytes).buffer);
