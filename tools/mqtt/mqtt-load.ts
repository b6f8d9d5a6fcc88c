/** Runs a load of devices: publishes messages at their moments, and measures until the result of each is there. */
import { seededRandom } from "../../base/random.ts";
import { UsageError } from "../../base/usage-error.ts";
import { readTextFile } from "../../base/files.ts";
import { openLoop } from "../load/generate.ts";
import { LoadFigures } from "../load/load-figures.ts";
import { constantSchedule, poissonSchedule } from "../load/schedule.ts";
import { BacklogWatch, type Backlog } from "./backlog-watch.ts";
import { connectDevices } from "./devices.ts";
import type { MqttLoadOptions } from "./options.ts";
import { payloadTemplate } from "./payload-template.ts";
import { noValues, readRecordedValues } from "./recorded-values.ts";
import { resultReader } from "./result-reader.ts";

export interface MqttLoad {
  readonly figures: LoadFigures;
  /** Results that came once more for a message that had one. */
  readonly twice: number;
  /** Results of messages that nobody waits for, or without an id. */
  readonly strange: number;
  /** Bytes of the last message. */
  readonly payloadBytes: number;
  /** What waited at the daemon; undefined: nobody looked. */
  readonly backlog: Backlog | undefined;
}

interface SentMessage {
  readonly dueAtMs: number;
  readonly ended: () => void;
}

/** Messages without a result at once; beyond it none is sent, so that memory is bounded. */
const mostUnderWay = 500_000;
/** Ids of messages that have ended, as far as they are remembered to know a result that comes twice. */
const mostEnded = 1_000_000;
const lookEveryMs = 200;

/**
 * Resolves when everything that was sent has ended.
 *
 * @param stop ends the sending early
 * @param onEnd is called after each message that has ended
 */
export async function runDevices(
  options: MqttLoadOptions,
  env: Readonly<Record<string, string | undefined>>,
  stop: AbortSignal,
  onEnd: (figures: LoadFigures) => void,
): Promise<MqttLoad> {
  const { devices, rate, arrivals, seconds, messages = Infinity, seed, wait } = options;
  const values = options.recorded === undefined ? noValues : readRecordedValues(options.recorded);
  const payloadOf = payloadTemplate(textOf(options.payload), values.columns);
  const topicOf = payloadTemplate(options.topic);
  const read = resultReader(options.resultId);
  const random = seededRandom(seed);
  const run = Math.floor(Date.now() / 1_000).toString(36);
  const sent = new Map<string, SentMessage>();
  const ended = new Set<string>();
  const tally = { twice: 0, strange: 0, payloadBytes: 0 };
  let figures = new LoadFigures(performance.now());
  const end = (id: string, error?: string): void => {
    const message = sent.get(id);
    if (message === undefined) return;
    sent.delete(id);
    if (ended.size < mostEnded) ended.add(id);
    const nowMs = performance.now();
    if (error === undefined) figures.answer(message.dueAtMs, nowMs);
    else figures.fail(error, nowMs);
    onEnd(figures);
    message.ended();
  };
  const fleet = await connectDevices(options, env, (payload) => {
    const { id, error } = read(payload);
    if (id !== undefined && sent.has(id)) end(id, error);
    else if (id !== undefined && ended.has(id)) tally.twice++;
    else tally.strange++;
  });
  const expiry = setInterval(() => {
    const beforeMs = performance.now() - wait * 1_000;
    // In the order in which they were sent, nearly.
    for (const [id, { dueAtMs }] of sent) {
      if (dueAtMs > beforeMs) break;
      end(id, `no result within ${wait} s`);
    }
  }, lookEveryMs);
  const backlog = options.queue === undefined ? undefined : new BacklogWatch(options.queue);
  let n = 0;
  const send = async (dueAtMs: number): Promise<void> => {
    const number = n++;
    const nowMs = performance.now();
    if (sent.size >= mostUnderWay) {
      figures.leaveOut("not sent: too many under way", nowMs);
      return;
    }
    const device = number % devices;
    const facts = {
      id: `${run}-${number}`,
      device: `d${device}`,
      n: number,
      nowMs: Date.now(),
      random,
      recorded: values.row(number),
    };
    const payload = payloadOf(facts);
    tally.payloadBytes = Buffer.byteLength(payload);
    figures.sent(dueAtMs, nowMs);
    await new Promise<void>((resolve) => {
      sent.set(facts.id, { dueAtMs, ended: resolve });
      fleet
        .publish(device, topicOf(facts), payload)
        .catch((error: Error) => end(facts.id, `not published: ${error.message}`));
    });
  };
  try {
    figures = new LoadFigures(performance.now());
    const until = { seconds, requests: messages };
    const schedule =
      arrivals === "poisson" ? poissonSchedule(rate, seed, until) : constantSchedule(rate, until);
    await openLoop(schedule, (_, dueAtMs) => send(dueAtMs), stop);
    return { figures, ...tally, backlog: await backlog?.end() };
  } finally {
    clearInterval(expiry);
    await backlog?.end();
    await fleet.close();
  }
}

function textOf(payload: string): string {
  if (!payload.startsWith("@")) return payload;
  const text = readTextFile(payload.slice(1), "--payload");
  if (text.trim() === "") throw new UsageError(`--payload: ${payload.slice(1)} is empty`);
  return text;
}
