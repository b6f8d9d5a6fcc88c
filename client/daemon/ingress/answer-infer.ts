/** How the queue answers inference, whichever way in a request took: from its body to the body of its answer. */
import type { Abortable } from "../../../base/program/hang-up.ts";
import { Turns } from "../../../base/program/turns.ts";
import { inOnePiece } from "../../../protocol/decode.ts";
import { binaryWanted, encodeResponseParts } from "../../../protocol/encode.ts";
import { checkNoSequence, type InferRequest, type WireParts, withinMsOf } from "../../../protocol/message.ts";
import { isLongToWrite, type MessageCodec, mostQuickBytes } from "../../../protocol/server/message-codec.ts";
import { RequestReader } from "../../../protocol/server/request-reader.ts";
import type { Daemon } from "../daemon.ts";
import type { LaneHints } from "../lanes.ts";
import { metadataOf, tensorBytes, withFacts } from "./served-answer.ts";

/** How long answers are written before other work has a turn, in milliseconds: those of a large batch come together. */
const answersPerTurnMs = 1;

/** One request, as far as its way in knows it. */
export interface AskedInference {
  /** As it is queued. */
  readonly model: string;
  readonly body: WireParts;
  readonly hints: LaneHints;
  /** The header that says how long the caller waits. */
  readonly within: string | undefined;
  /** The caller has gone. */
  readonly gone: Abortable;
  /** The same as a signal, which costs more. */
  readonly signal: () => AbortSignal;
  /** Told how many rows the request has, before it is queued. */
  readonly onRows: (rows: number) => void;
  /** Told the number of the request in the queue. */
  readonly onNumber: (request: number) => void;
  /** Told the id under which another daemon keeps its story. */
  readonly onId: (id: string) => void;
}

export class InferAnswers {
  readonly #daemon: Daemon;
  readonly #codec: MessageCodec;
  readonly #reader = new RequestReader();
  readonly #turns = new Turns(answersPerTurnMs, () => performance.now());

  constructor(daemon: Daemon, codec: MessageCodec) {
    this.#daemon = daemon;
    this.#codec = codec;
  }

  /** Rejects with a ProtocolError or a SpillwayError. */
  async answer(asked: AskedInference): Promise<WireParts> {
    const { model, hints, within, gone, onNumber, onId } = asked;
    const bodyBytes = bytesOf(asked.body);
    const read = this.#read(asked);
    const request = read instanceof Promise ? await read : read;
    checkNoSequence(request);
    asked.onRows(request.inputs[0]?.shape[0] ?? 1);
    const bytes = Math.max(bodyBytes, tensorBytes(request.inputs));
    const call = { model, request, bytes, hints, withinMs: withinMsOf(within), onNumber, onId };
    const served = await this.#daemon.submit(call, gone);
    const turn = this.#turns.take();
    if (turn !== undefined) await turn;
    const answer = withFacts(served);
    if (!isLongToWrite(answer, request)) return encodeResponseParts(answer, binaryWanted(request));
    const { body, ...rest } = await this.#codec.write(answer, request, asked.signal());
    return { parts: [body], ...rest };
  }

  #read({ body, model, signal }: AskedInference): InferRequest | Promise<InferRequest> {
    const { parts, headerBytes } = body;
    if (headerBytes !== undefined && headerBytes > 0 && headerBytes <= mostQuickBytes)
      return this.#reader.read(body);
    // Its memory may belong to another thread afterwards.
    const wire = { body: inOnePiece(parts), ...(headerBytes !== undefined && { headerBytes }) };
    if (headerBytes !== 0) return this.#codec.read(wire, undefined, signal());
    return metadataOf(this.#daemon.models, model).then((metadata) => this.#codec.read(wire, metadata));
  }
}

function bytesOf({ parts }: WireParts): number {
  let bytes = 0;
  for (const { length } of parts) bytes += length;
  return bytes;
}
