/**
 * Sends requests at the moments of a trace, whether or not earlier ones are answered, and notes how each went.
 * Latency counts from the scheduled moment, so a late sender cannot hide a slow answer.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import { headerLength, toWireBody, wireHeaders } from "../protocol/v2-http.ts";
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

/** Longest time until an answer; a request without one by then is lost. */
const answerTimeoutMs = 30_000;

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
  const pool = new Pool(url, { connections: 256 });
  const path = `/v2/models/${model}/infer`;
  const startedAtMs = performance.now();
  const underWay: Promise<void>[] = [];
  for (const [index, question] of questions.entries()) {
    const dueAtMs = startedAtMs + (momentsS[index] as number) * 1_000;
    const waitMs = dueAtMs - performance.now();
    if (waitMs > 0) await delay(waitMs, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) break;
    underWay.push(ask(pool, path, question, dueAtMs).then(onOutcome));
  }
  await Promise.all(underWay);
  await pool.close();
}

async function ask(pool: Pool, path: string, question: Question, dueAtMs: number): Promise<Outcome> {
  try {
    const response = await pool.request({
      method: "POST",
      path,
      headers: wireHeaders(question.wire),
      body: question.wire.body,
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    const wire = toWireBody(response.headers[headerLength], await response.body.arrayBuffer());
    const latencyMs = performance.now() - dueAtMs;
    if (response.statusCode !== 200) {
      return { kind: "lost", why: `status ${response.statusCode}: ${new TextDecoder().decode(wire.body)}` };
    }
    const answer = decodeAnswer(wire);
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
