/**
 * Sends requests at given moments, whether or not earlier ones are answered, and notes how each went.
 * Latency counts from the scheduled moment, so a late sender cannot hide a slow answer.
 */
import { createV2Caller, type V2Caller } from "../load/v2-caller.ts";
import { openLoop } from "../load/generate.ts";
import { decodeAnswer, type Question } from "./questions.ts";

/** How one request went. */
export type DemoOutcome = {
  /** When it was to be sent, in milliseconds from the load's start. */
  readonly dueAtMs: number;
} & (
  | {
      readonly kind: "answered";
      readonly isRight: boolean;
      readonly latencyMs: number;
      readonly target: string;
      readonly batchRows: number;
    }
  /** Refused by the queue, because its deadline had come. */
  | { readonly kind: "refused" }
  | { readonly kind: "lost"; readonly why: string }
);

export interface DemoLoad {
  /** Of the V2 server. */
  readonly url: string;
  readonly model: string;
  readonly questions: readonly Question[];
  /** When each question is asked, in seconds from the load's start; as many as questions. */
  readonly momentsS: readonly number[];
}

/** @param stop ends the sending early; what was sent is still waited for */
export async function sendAll(
  { url, model, questions, momentsS }: DemoLoad,
  stop: AbortSignal,
  onOutcome: (outcome: DemoOutcome) => void,
): Promise<void> {
  const exchange = createV2Caller({ url, model, connections: 256 });
  const due = questions.map((question, index) => ({ atS: momentsS[index] as number, rows: 1, question }));
  const ask = async ({ question, atS }: (typeof due)[number], dueAtMs: number): Promise<void> =>
    onOutcome({ ...(await outcomeOf(exchange, question, dueAtMs)), dueAtMs: atS * 1_000 });
  await openLoop([due], ask, stop);
  await exchange.close();
}

async function outcomeOf(exchange: V2Caller, question: Question, dueAtMs: number) {
  const exchanged = await exchange.send(question.wire);
  const latencyMs = performance.now() - dueAtMs;
  if (exchanged.kind === "failed") {
    const isLate = exchanged.reason === "status 504";
    return isLate ? ({ kind: "refused" } as const) : ({ kind: "lost", why: exchanged.why } as const);
  }
  try {
    const answer = decodeAnswer(exchanged.wire);
    return {
      kind: "answered",
      isRight: question.isRight(answer),
      latencyMs,
      target: String(answer.parameters["spillway_target"]),
      batchRows: Number(answer.parameters["spillway_batch_rows"]),
    } as const;
  } catch (error) {
    return { kind: "lost", why: (error as Error).message } as const;
  }
}
