/**
 * What streams, subjects, consumers and buckets on a NATS server are called, in one place. A name of a model becomes one
 * token of a subject, whatever is in it. Each site has names of its own, so that the queues of a hub and of sites behind leaf
 * nodes do not take each other's messages, which go to wherever somebody listens to their subject.
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

/** Names of sites, of 1 to 32 letters, digits, `_` and `-`; other texts become a digest. */
const siteName = /^[\w-]{1,32}$/;

/**
 * The names that programs of one site share.
 *
 * @param site undefined: the server's only one
 * @example
 * engineNames().requests.subject("ocr", "front", "1"); // "spill.req.ocr.front.1"
 * engineNames("plant").requests.subject("ocr", "front", "1"); // "spill.site.plant.req.ocr.front.1"
 * engineNames("plant").requests.stream; // "SPILL_REQ-plant"
 */
export function engineNames(site?: string) {
  const name = shortName(site);
  const root = name === undefined ? "spill" : `spill.site.${name}`;
  const own = (text: string): string => (name === undefined ? text : `${text}-${name}`);
  return {
    /** Undefined: the server's only one. */
    site: name,
    /** Requests that wait, a subject each; the work queue of all models. */
    requests: {
      stream: own("SPILL_REQ"),
      subjects: `${root}.req.>`,
      /** Of a model with several owners each request is in a part; part 0 is where those of one owner are. */
      subject: (model: string, front: string, id: string, part = 0) =>
        `${root}.req.${token(model)}.${partToken(part)}${front}.${id}`,
      /** Of all requests of a model's part. */
      filter: (model: string, part = 0) => `${root}.req.${token(model)}.${partToken(part)}*.*`,
      /** Durable consumer of a model's part. */
      consumer: (model: string, part = 0) => partConsumer(token(model), part),
      /** The same, of a model's token. */
      consumerOf: partConsumer,
      /** The model of the consumer of a first part. */
      modelOf: (consumer: string) => (consumer.startsWith("m-") ? tokenText(consumer.slice(2)) : undefined),
      unusedMs: 2 * 86_400_000,
    },
    /** Results, one for each request at most. `copies` are what the stream has taken, for those who wait. */
    results: {
      stream: own("SPILL_RES"),
      subjects: `${root}.res.>`,
      subject: (front: string, id: string) => `${root}.res.${front}.${id}`,
      copies: (front: string) => `${root}.out.${front}.>`,
      copy: `${root}.out.>`,
    },
    /** Bodies of requests and results that are larger than a message may be, in an object store. */
    largeBodies: { bucket: own("spill-bodies") },
    /** Where daemons that have a hub are asked which one, and which hubs are above it. */
    hubs: { subject: `${root}.hubs` },
    /** Where daemons that serve a model are asked what it takes, one of them for each question. */
    doors: { subject: (model: string) => `${root}.door.${token(model)}` },
    /** Where a daemon tells the stories of the requests that it served in this run. */
    stories: { subject: (run: string) => `${root}.story.${run}` },
    /** Told to whoever has the request in work. */
    cancels: {
      all: `${root}.cancel.>`,
      subject: (front: string, id: string) => `${root}.cancel.${front}.${id}`,
    },
    /** Jobs: a subject each with all that happened to it, whose copies are told as they come, and the inputs by id. */
    jobLogs: {
      stream: own("SPILL_JOBS"),
      subjects: `${root}.job.>`,
      subject: (id: string) => `${root}.job.${id}`,
      copy: `${root}.jobout.>`,
      inputs: own("spill-job-inputs"),
    },
    /** How jobs ended for whose end their log had no room, one message each. */
    jobEnds: {
      stream: own("SPILL_JOBENDS"),
      subjects: `${root}.jobend.>`,
      subject: (id: string) => `${root}.jobend.${id}`,
    },
    /** Jobs that are to be run; the work queue of all models. */
    jobQueue: {
      stream: own("SPILL_JOBQ"),
      subjects: `${root}.jobq.>`,
      subject: (model: string, id: string) => `${root}.jobq.${token(model)}.job.${id}`,
      filter: (model: string) => `${root}.jobq.${token(model)}.>`,
      consumer: (model: string) => `j-${token(model)}`,
      consumerOf: (made: string, _part = 0) => `j-${made}`,
      unusedMs: 15 * 86_400_000,
    },
    /** Edges that joined: what they serve, by a key each, and where they are called. */
    joinedEdges: {
      bucket: own("SPILL_EDGES"),
      key: (edge: string) => token(edge),
      run: (edge: string, epoch: string) => `${root}.edge.${token(edge)}.${epoch}.run`,
    },
    /** How models are split that have several owners, and what the daemons offer that may own them. */
    splits: { bucket: own("SPILL_SPLITS"), key: (model: string) => token(model) },
    owners: { bucket: own("SPILL_OWNERS"), key: (daemon: string) => token(daemon) },
    /** Models that travel to the edges, in the object store. */
    modelBucket: own("spill-models"),
  } as const;
}

export type EngineNames = ReturnType<typeof engineNames>;

/**
 * Money that several spend together: a counter for each currency and minute. It is named after the domain that keeps it, so
 * that all who count there agree, and no count elsewhere takes what is published for it.
 *
 * @param domain undefined: the server has none
 */
export function spendNames(domain?: string) {
  const name = shortName(domain);
  const root = name === undefined ? "spill.spend" : `spill.site.${name}.spend`;
  return {
    stream: name === undefined ? "SPILL_SPEND" : `SPILL_SPEND-${name}`,
    subjects: `${root}.>`,
    subject: (currency: string, minute: number | "") => `${root}.${currency}.${minute}`,
  } as const;
}

function partToken(part: number): string {
  return part === 0 ? "" : `${part}.`;
}

/** No token of a model ends so: `=` is followed by capitals there. */
function partConsumer(made: string, part = 0): string {
  return part === 0 ? `m-${made}` : `m-${made}=p${part}`;
}

function shortName(site: string | undefined): string | undefined {
  if (site === undefined || siteName.test(site)) return site;
  return createHash("sha256").update(site).digest("base64url").slice(0, 16);
}
