/** Bodies to requests and answers to bodies: at once where that is quick, else in a thread beside the event loop. */
import { decodeInferResponse } from "../decode.ts";
import { binaryWanted, encodeInferResponse } from "../encode.ts";
import type { InferRequest, InferResponse, ModelMetadata, WireBody } from "../message.ts";
import { dataBytes, elementCount } from "../tensor.ts";
import { readRequest } from "./read-request.ts";

export interface MessageCodec {
  /** Rejects like `readRequest`. The bytes of the body may be gone afterwards. */
  read(wire: WireBody, metadata: ModelMetadata | undefined, gone?: AbortSignal): Promise<InferRequest>;
  /** Rejects like `decodeInferResponse`, for the answer of another server. */
  readAnswer(wire: WireBody, model: string): Promise<InferResponse>;
  /** The body with the answer to a request; outputs are binary where the request wants them so. */
  write(response: InferResponse, request: InferRequest, gone?: AbortSignal): Promise<WireBody>;
  close(): Promise<void>;
}

/**
 * Longest JSON that is read on the event loop. A mebibyte takes 10 ms as numbers and up to 250 ms as short strings, nested
 * arrays or long integers, on one of two slow cores (`bench/bodies.ts`).
 */
export const mostQuickBytes = 2 ** 17;
/** Most elements that are printed as JSON there, and most bytes of strings: 65,536 floats take about 10 ms. */
const mostQuickElements = 2 ** 16;
const mostQuickStringBytes = 2 ** 20;

/** Whether reading takes long enough to be done elsewhere. */
export function isLongToRead({ body, headerBytes = body.length }: WireBody): boolean {
  return headerBytes > mostQuickBytes;
}

/** Whether there is much to print as JSON. */
export function isLongToWrite({ outputs }: InferResponse, request: InferRequest): boolean {
  const isBinary = binaryWanted(request);
  let [elements, bytes] = [0, 0];
  for (const output of outputs) {
    if (isBinary(output.name)) continue;
    elements += elementCount(output.shape);
    bytes += dataBytes(output);
  }
  return elements > mostQuickElements || bytes > mostQuickStringBytes;
}

/** Everything in this thread: for a function, which has one call at a time and little memory for others. */
export const codecHere: MessageCodec = {
  read: async (wire, metadata) => readRequest(wire, metadata),
  readAnswer: async ({ body, headerBytes }, model) => decodeInferResponse(body, headerBytes, model),
  write: async (response, request) => encodeInferResponse(response, binaryWanted(request)),
  close: async () => {},
};
