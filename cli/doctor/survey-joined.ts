/** Looks at what those who joined keep on a NATS server. It is loaded only where a file names one. */
import type { JetStreamManager, StreamInfo } from "@nats-io/jetstream";
import type { Logger } from "pino";
import { type Engine, joinNats } from "../../base/nats/engine.ts";
import { tokenText } from "../../base/nats/engine-names.ts";
import type { JoinOptions } from "../../base/nats/join-fields.ts";
import { toldOwners } from "./survey-owners.ts";

/** Most fronts that are asked whether they are there, and how long one may take, in milliseconds. */
const mostFronts = 200;
const askMs = 500;
const nothing = (): void => {};
/** Where the token of a subject's front stands, from its end. */
const frontPlace = 2;

export interface JoinedSurvey {
  readonly version: string;
  readonly told: readonly string[];
  readonly faults: readonly string[];
}

/** Rejects when the server cannot be used, or when `stop` comes first. */
export async function surveyJoined(
  options: JoinOptions,
  env: NodeJS.ProcessEnv,
  stop: AbortSignal,
): Promise<JoinedSurvey> {
  let why = "it does not answer in time";
  const log = {
    info: nothing,
    warn: nothing,
    error: (facts: { readonly why?: string }) => void (why = facts.why ?? why),
  } as Pick<Logger, "info" | "warn" | "error">;
  const engine = await joinNats(options, { as: "doctor", env, log, stop }).catch((error: unknown) => {
    throw stop.aborted ? new Error(why, { cause: error }) : error;
  });
  try {
    return await survey(engine);
  } finally {
    await engine.close();
  }
}

async function survey(engine: Engine): Promise<JoinedSurvey> {
  const { manager, names, version } = engine;
  const { requests, results, jobLogs, jobQueue, largeBodies, joinedEdges, modelBucket } = names;
  const [waiting, kept] = [await subjectsOf(manager, requests), await subjectsOf(manager, results)];
  const [jobs, queued] = [await subjectsOf(manager, jobLogs), await subjectsOf(manager, jobQueue)];
  const fronts = new Set([
    ...waiting.map((subject) => tokenOf(subject, frontPlace)),
    ...kept.map((subject) => tokenOf(subject, frontPlace)),
  ]);
  const gone = await goneOf(engine, [...fronts].slice(0, mostFronts));
  const left = (subjects: readonly string[]): number =>
    subjects.filter((subject) => gone.has(tokenOf(subject, frontPlace))).length;
  const [leftWaiting, leftKept] = [left(waiting), left(kept)];
  const orphans =
    gone.size === 0
      ? []
      : [
          `of ${gone.size} that are gone ${leftWaiting} requests and ${leftKept} results, which end by themselves within a day and an hour`,
        ];
  return {
    version,
    told: [
      `${waiting.length} requests wait`,
      `${kept.length} results are kept`,
      `${jobs.length} jobs, ${queued.length} of them to be run`,
      `${await messagesOf(manager, `OBJ_${jobLogs.inputs}`)} parts of inputs`,
      `${await messagesOf(manager, `OBJ_${largeBodies.bucket}`)} parts of large bodies`,
      `${await messagesOf(manager, `OBJ_${modelBucket}`)} parts of models`,
      `${await messagesOf(manager, `KV_${joinedEdges.bucket}`)} edges`,
      ...(await toldOwners(engine)),
      ...orphans,
    ],
    faults: [
      ...(await unserved(manager, requests, waiting, "requests")),
      ...(await unserved(manager, jobQueue, queued, "jobs")),
    ],
  };
}

/** The work queue of requests, or that of jobs. */
interface LookedAtQueues {
  readonly stream: string;
  readonly subjects: string;
  readonly consumerOf: (token: string, part: number) => string;
}

/** Models of which something waits that nobody asks for. */
async function unserved(
  manager: JetStreamManager,
  { stream, subjects, consumerOf }: LookedAtQueues,
  waiting: readonly string[],
  what: string,
): Promise<string[]> {
  const byPart = new Map<string, { readonly token: string; readonly part: number; count: number }>();
  for (const subject of waiting) {
    // What stands before the model is the same in all subjects of a queue.
    const [token = "", ...rest] = subject.slice(subjects.length - 1).split(".");
    const part = rest.length > 2 ? Number(rest[0]) : 0;
    const key = consumerOf(token, part);
    const there = byPart.get(key) ?? { token, part, count: 0 };
    there.count++;
    byPart.set(key, there);
  }
  const told: string[] = [];
  for (const [consumer, { token, part, count }] of byPart) {
    const model = `${tokenText(token) ?? token}${part === 0 ? "" : `, part ${part}`}`;
    const info = await manager.consumers.info(stream, consumer).catch(() => undefined);
    const isServed = info !== undefined && (info.num_waiting > 0 || info.num_ack_pending > 0);
    if (!isServed) told.push(`${count} ${what} wait for model ${model}, which no daemon serves now`);
  }
  return told;
}

/** Fronts to whom nobody listens. */
async function goneOf({ connection, names }: Engine, fronts: readonly string[]): Promise<Set<string>> {
  const gone = new Set<string>();
  const look = async (front: string): Promise<void> => {
    const subject = names.results.copies(front).replace(/>$/, "nobody");
    // One that is there does not answer.
    await connection.request(subject, undefined, { timeout: askMs }).catch((error: Error) => {
      if (error.name === "NoRespondersError" || /no responders/i.test(error.message)) gone.add(front);
    });
  };
  await Promise.all(fronts.map(look));
  return gone;
}

async function subjectsOf(
  manager: JetStreamManager,
  { stream, subjects }: { readonly stream: string; readonly subjects: string },
): Promise<string[]> {
  const info = await infoOf(manager, stream, { subjects_filter: subjects });
  return Object.keys(info?.state.subjects ?? {});
}

async function messagesOf(manager: JetStreamManager, stream: string): Promise<number> {
  return (await infoOf(manager, stream))?.state.messages ?? 0;
}

/** Undefined: nobody has made it yet. */
function infoOf(
  manager: JetStreamManager,
  stream: string,
  options?: { readonly subjects_filter: string },
): Promise<StreamInfo | undefined> {
  return manager.streams.info(stream, options).catch((error: Error) => {
    if (/not found/.test(error.message)) return undefined;
    throw error;
  });
}

/** @param place from the end, since a site's subjects begin with its name */
function tokenOf(subject: string, place: number): string {
  return subject.split(".").at(-place) ?? "";
}
