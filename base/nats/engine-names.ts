/**
 * What streams, subjects, consumers and buckets on a NATS server are called, in one place. A name of a model becomes one
 * token of a subject, whatever is in it.
 */
import { createHash } from "node:crypto";

/** Longer tokens are shortened by a digest: names of consumers have at most 255 characters. */
const longestToken = 120;

/**
 * A text as one token: letters, digits, `_` and `-` stay, every other byte is `=` and two hex digits.
 *
 * @example
 * token("ocr.cls v2"); // "ocr=2Ecls=20v2"
 */
export function token(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const char = String.fromCharCode(byte);
    out += /[\w-]/.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  if (out === "") return "=";
  if (out.length <= longestToken) return out;
  const digest = createHash("sha256").update(text).digest("base64url");
  return `${out.slice(0, longestToken - digest.length - 2)}==${digest}`;
}

/** The text of a token; undefined for one that was shortened or that nobody here made. */
export function tokenText(made: string): string | undefined {
  if (made === "=") return "";
  if (!/^(?:[\w-]|=[0-9A-F]{2})+$/.test(made)) return undefined;
  const bytes: number[] = [];
  for (let at = 0; at < made.length; at++) {
    if (made[at] !== "=") bytes.push(made.charCodeAt(at));
    else {
      bytes.push(parseInt(made.slice(at + 1, at + 3), 16));
      at += 2;
    }
  }
  const text = Buffer.from(bytes).toString("utf8");
  return token(text) === made ? text : undefined;
}

/** Requests that wait, a subject each; the work queue of all models. */
export const requests = {
  stream: "SPILL_REQ",
  subjects: "spill.req.>",
  subject: (model: string, front: string, id: string) => `spill.req.${token(model)}.${front}.${id}`,
  /** Of all requests of a model. */
  filter: (model: string) => `spill.req.${token(model)}.>`,
  /** Durable consumer of a model. */
  consumer: (model: string) => `m-${token(model)}`,
  unusedMs: 2 * 86_400_000,
} as const;

/**
 * Results, one for each request at most. `copies` are what the stream has taken, for those who wait.
 */
export const results = {
  stream: "SPILL_RES",
  subjects: "spill.res.>",
  subject: (front: string, id: string) => `spill.res.${front}.${id}`,
  copies: (front: string) => `spill.out.${front}.>`,
  copy: "spill.out.>",
} as const;

/** Bodies of requests and results that are larger than a message may be, in an object store. */
export const largeBodies = { bucket: "spill-bodies" } as const;

/** Where a daemon tells the stories of the requests that it served in this run. */
export const stories = { subject: (run: string) => `spill.story.${run}` } as const;

/**
 * Told to whoever has the request in work.
 */
export const cancels = {
  all: "spill.cancel.>",
  subject: (front: string, id: string) => `spill.cancel.${front}.${id}`,
} as const;

/** Jobs: a subject each with all that happened to it, whose copies are told as they come, and the inputs by id. */
export const jobLogs = {
  stream: "SPILL_JOBS",
  subjects: "spill.job.>",
  subject: (id: string) => `spill.job.${id}`,
  copy: "spill.jobout.>",
  inputs: "spill-job-inputs",
} as const;

/** How jobs ended for whose end their log had no room, one message each. */
export const jobEnds = {
  stream: "SPILL_JOBENDS",
  subjects: "spill.jobend.>",
  subject: (id: string) => `spill.jobend.${id}`,
} as const;

/** Jobs that are to be run; the work queue of all models. */
export const jobQueue = {
  stream: "SPILL_JOBQ",
  subjects: "spill.jobq.>",
  subject: (model: string, id: string) => `spill.jobq.${token(model)}.job.${id}`,
  filter: (model: string) => `spill.jobq.${token(model)}.>`,
  consumer: (model: string) => `j-${token(model)}`,
  unusedMs: 15 * 86_400_000,
} as const;

/**
 * Money that all sites spend together: a counter for each window of time.
 *
 * @public
 */
export const spendNames = {
  stream: "SPILL_SPEND",
  subjects: "spill.spend.>",
  subject: (window: string) => `spill.spend.${window}`,
} as const;

/**
 * Edges that joined: what they serve, by a key each, and where they are called.
 *
 * @public
 */
export const joinedEdges = {
  bucket: "SPILL_EDGES",
  key: (edge: string) => token(edge),
  run: (edge: string, epoch: string) => `spill.edge.${token(edge)}.${epoch}.run`,
} as const;

/**
 * Models that travel to the edges, in the object store.
 *
 * @public
 */
export const modelBucket = "spill-models";
