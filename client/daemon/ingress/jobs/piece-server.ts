/** Has one piece of a job served by the queue, and makes the lines of its rows, whatever becomes of it. */
import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../../../base/errors.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import type { InferRequest, InferResponse, WireBody } from "../../../../protocol/message.ts";
import { answerLine, faultLine, type ResultRows, type RowsFault } from "../../../../protocol/result-line.ts";
import type { MessageCodec } from "../../../../protocol/server/message-codec.ts";
import { splitResponse } from "../../../../protocol/stack.ts";
import type { Daemon } from "../../daemon.ts";
import type { LaneHints } from "../../lanes.ts";
import { withFacts } from "../served-answer.ts";
import {
  bulkCall,
  type FaultyPart,
  halvesOf,
  isWaitedOut,
  type JobPart,
  type JobPiece,
  mayBeOfOneRow,
  waitMsOf,
} from "./job-piece.ts";

export interface PieceServerOptions {
  readonly daemon: Pick<Daemon, "submit">;
  readonly codec: MessageCodec;
  readonly model: string;
  /** What the caller said of lane and tenant. */
  readonly hints: LaneHints;
  /** Longest time of one request, and of waiting for room in the queue. */
  readonly timeoutMs: number;
  /** Gives up what is under way; its reason is then that of the rows. */
  readonly abort: AbortSignal;
}

export interface WrittenLine {
  readonly line: Uint8Array;
  readonly rows: number;
  /** Who answered; undefined where nobody did. */
  readonly target?: string | undefined;
}

export class PieceServer {
  readonly #options: PieceServerOptions;

  constructor(options: PieceServerOptions) {
    this.#options = options;
  }

  /** The lines of a piece, in the order of its rows. Never rejects. */
  async serve(piece: JobPiece | FaultyPart): Promise<readonly WrittenLine[]> {
    if ("fault" in piece) return [this.#faulty(piece, piece.fault)];
    let lines: readonly WrittenLine[];
    try {
      const { answers, target } = await this.#answers(piece);
      lines = await Promise.all(
        piece.parts.map((part, index) => this.#answered(part, answers[index] as InferResponse, target)),
      );
    } catch (error) {
      const halves = mayBeOfOneRow(error) && !this.#options.abort.aborted ? halvesOf(piece) : undefined;
      if (halves === undefined) return piece.parts.map((part) => this.#faulty(part, error));
      // One after the other: a server that joins requests itself would put them together again.
      const each: (readonly WrittenLine[])[] = [];
      for (const half of halves) each.push(await this.serve(half));
      lines = each.flat();
    }
    return lines;
  }

  #faulty(part: Omit<JobPart, "request">, error: unknown): WrittenLine {
    const { abort } = this.#options;
    return { line: faultLine(placeOf(part), faultOf(abort.aborted ? abort.reason : error)), rows: part.rows };
  }

  async #answered(part: JobPart, answer: InferResponse, target: string): Promise<WrittenLine> {
    try {
      const wire = await this.#waitedOut(() => this.#printed(answer, part.request));
      return { line: answerLine(placeOf(part), wire), rows: part.rows, target };
    } catch (error) {
      return this.#faulty(part, error);
    }
  }

  /** One for each part, and who gave them. */
  async #answers(piece: JobPiece): Promise<{ readonly answers: InferResponse[]; readonly target: string }> {
    const { daemon, model, timeoutMs, hints, abort } = this.#options;
    const { parts } = piece;
    const call = bulkCall(model, piece, timeoutMs, hints);
    const served = await this.#waitedOut(() => daemon.submit(call, abort));
    const answer = withFacts(served);
    const { target } = served;
    const ids = parts.map(({ request }) => request.id);
    if (parts.length === 1) return { answers: [{ ...answer, id: ids[0] }], target };
    try {
      const rows = parts.map((part) => part.rows);
      return { answers: splitResponse(answer, rows, ids), target };
    } catch (error) {
      throw new SpillwayError("target_fault", (error as Error).message, { isOfTarget: false });
    }
  }

  /** Tries again as long as there is no room, within the time of one request. */
  async #waitedOut<T>(attempt: () => Promise<T>): Promise<T> {
    const { timeoutMs, abort } = this.#options;
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!isWaitedOut(error) || performance.now() > untilMs) throw error;
        await delay(waitMsOf(error), undefined, { signal: abort });
      }
    }
  }

  /** As JSON where JSON can state it, else as binary data. */
  async #printed(response: InferResponse, request: InferRequest): Promise<WireBody> {
    const { codec, abort } = this.#options;
    try {
      return await codec.write(response, request, abort);
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.status !== 400) throw error;
      const binary = { ...request, parameters: { ...request.parameters, binary_data_output: true } };
      const { outputs: _, ...asked } = binary;
      return codec.write(response, asked, abort);
    }
  }
}

function placeOf({ row, rows, line, name }: Omit<JobPart, "request">): ResultRows {
  return { row, rows, line, name };
}

export function faultOf(error: unknown): RowsFault {
  const { message, status = 500 } = error as Error & { readonly status?: number };
  return { error: message, ...(error instanceof SpillwayError && { code: error.code }), status };
}
