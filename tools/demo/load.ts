/**
 * Sends requests at the moments of a trace, whether or not earlier ones are answered, and notes how each went.
 * Latency counts from the scheduled moment, so a late sender cannot hide a slow answer.
 */
import { createV2Caller, type V2Caller } from "../load/v2-caller.ts";
import { openLoop } from "../load/generate.ts";
import { decodeAnswer, type Question } from "./questions.ts";

/** How one request went. */
export type Outcome =
  | {
      readonly kind: "answered";
      readonly isRight: boolean;
      readonly latencyMs: number;
      readonly target: string;
      readonly batchRows: number;
    }
  | { readonly kind: "lost"; readonly why: string };

/**
 * @param url of the V2 server
 * @param momentsS when each question is asked, in seconds from now, as many as questions
 * @param stop ends the sending early; what was sent is still waited for
 */
export async function sendAll(
  {
    url,
    model,
    questions,
    momentsS,
  }: {
    readonly url: string;
    readonly model: string;
    readonly questions: readonly Question[];
    readonly momentsS: readonly number[];
  },
  stop: AbortSignal,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  const exchange = createV2Caller({ url, model, connections: 256 });
  const due = questions.map((question, index) => ({ atS: momentsS[index] as number, rows: 1, question }));
  await openLoop([due], (each, dueAtMs) => ask(exchange, each.question, dueAtMs).then(onOutcome), stop);
  await exchange.close();
}

async function ask(exchange: V2Caller, question: Question, dueAtMs: number): Promise<Outcome> {
  const exchanged = await exchange.send(question.wire);
  const latencyMs = performance.now() - dueAtMs;
  if (exchanged.kind === "failed") return { kind: "lost", why: exchanged.why };
  try {
    const answer = decodeAnswer(exchanged.wire);
    return {
      kind: "answered",
      isRight: question.isRight(answer),
      latencyMs,
      target: String(answer.parameters["spillway_target"]),
      batchRows: Number(answer.parameters["spillway_batch_rows"]),
    };
  } catch (error) {
    return { kind: "lost", why: (error as Error).message };
  }
}
