/**
 * Jobs over HTTP: `POST /v2/models/{m}/jobs` takes much work and answers at once, `GET` of the URL in that answer has the
 * progress and the results, `DELETE` cancels. `GET /v2/jobs` and `GET /v2/models/{m}/jobs` list the caller's own.
 */
import { Buffer } from "node:buffer";
import type { Context, Handler, Hono } from "hono";
import type { AccessGate } from "../../../../base/access/access-gate.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import { modelPath } from "../../../../protocol/model-path.ts";
import { codecHere } from "../../../../protocol/server/message-codec.ts";
import { readBody } from "../../../../protocol/server/read-body.ts";
import { modelPaths, route, routes } from "../../../../protocol/server/route.ts";
import { hintsOf, metadataOf, withRetryAfter } from "../served-answer.ts";
import { headerLength } from "../../../../protocol/v2-http.ts";
import { readJobBody, type SentJob } from "./job-body.ts";
import type { JobBook, JobView } from "./job-book.ts";
import { rowAfter } from "./job.ts";
import { eventsAnswer, linesAnswer } from "./job-stream.ts";
import type { JobCaller } from "./jobs.ts";

/** Lines of results in one answer to GET: by default, at most, and most of their bytes. */
const usualLines = 100;
const mostLinesOfPage = 10_000;
const mostPageBytes = 2 ** 23;
/** Jobs in one list: by default, and at most. */
const usualJobs = 100;
const mostListedJobs = 1_000;

export function addJobs(app: Hono, jobs: JobBook, gate: AccessGate, maxBodyBytes: number): void {
  const { daemon, codec = codecHere, mostBytes } = jobs.options;
  const modelOf = (context: Context): Promise<string> =>
    daemon.findModel(context.req.param("model"), context.req.param("version"));
  const jobOf = async (context: Context): Promise<JobView> =>
    jobs.find(context.req.param("model") as string, context.req.param("job") as string, callerOf(context));
  const callerOf = (context: Context): JobCaller => hintsOf(context, gate);

  const take: Handler = async (context) => {
    try {
      const model = await modelOf(context);
      const hints = hintsOf(context, gate);
      daemon.checkHints(hints);
      const release = jobs.reserve(Number(context.req.header("content-length") ?? 0));
      try {
        const body = await readBody(context);
        const metadata = await metadataOf(daemon.models, model).catch(() => undefined);
        const options = { codec, metadata, mostFileBytes: maxBodyBytes, mostBytes };
        const sent: SentJob = {
          body,
          type: context.req.header("content-type"),
          headerBytes: context.req.header(headerLength),
        };
        const input = await readJobBody(sent, options, context.req.raw.signal);
        gate.countRows(context, input.rows);
        release();
        const id = await jobs.start(model, input, hints, sent);
        const job = await jobs.find(context.req.param("model") as string, id);
        const url = `${context.req.path.replace(/(?<!\/)\/+$/, "")}/${id}`;
        return context.json({ id, url, ...job.status() }, 202, { location: url });
      } finally {
        release();
      }
    } catch (error) {
      throw withRetryAfter(error);
    }
  };

  const list: Handler = async (context) => {
    const model = context.req.param("model");
    const from = wholeOf(context, "from", 0);
    const most = wholeOf(context, "limit", usualJobs, mostListedJobs);
    const own = await jobs.listed(callerOf(context), model);
    // There may be jobs of a model that nobody serves any more.
    if (own.length === 0 && model !== undefined) await modelOf(context);
    const shown = own
      .slice(from, from + most)
      .map((job) => Object.assign({ url: `${modelPath(job.model)}/jobs/${job.id}` }, job));
    return context.json({ total: own.length, jobs: shown });
  };

  route(app, "GET", ["/v2/jobs"], list);
  routes(app, modelPaths("/jobs"), { GET: list, POST: take });
  routes(app, modelPaths("/jobs/:job"), {
    GET: async (context) => {
      const job = await jobOf(context);
      const accepted = context.req.header("accept") ?? "";
      if (accepted.includes("text/event-stream")) {
        const seen = context.req.header("last-event-id");
        const from = seen === undefined ? wholeOf(context, "from", 0) : Number(seen);
        return eventsAnswer(job, Number.isSafeInteger(from) ? from : 0, jobs.reader());
      }
      if (/ndjson|jsonl/.test(accepted)) return linesAnswer(job, wholeOf(context, "from", 0), jobs.reader());
      return pageOf(context, job);
    },
    DELETE: async (context) => {
      const id = context.req.param("job") as string;
      const job = await jobs.remove(context.req.param("model") as string, id, callerOf(context));
      return context.json({ id, ...job.status() });
    },
  });
}

/** The progress, and some of the results there are. */
async function pageOf(context: Context, job: JobView): Promise<Response> {
  const from = wholeOf(context, "from", 0);
  const most = wholeOf(context, "limit", usualLines, mostLinesOfPage);
  const status = job.status();
  const lines: Uint8Array[] = [];
  let bytes = 0;
  let next = from;
  if (most > 0)
    for await (const line of job.linesNow(from)) {
      if (lines.length === most || (lines.length > 0 && bytes + line.length > mostPageBytes)) break;
      lines.push(line);
      bytes += line.length;
    }
  const last = lines.at(-1);
  if (last !== undefined) next = rowAfter(last);
  const id = context.req.param("job") as string;
  const head = JSON.stringify({ id, ...status, next }).slice(0, -1);
  const results = Buffer.concat(lines.flatMap((line, index) => (index === 0 ? [line] : [comma, line])));
  const body = Buffer.concat([Buffer.from(`${head},"results":[`), results, Buffer.from("]}")]);
  return context.body(new Uint8Array(body), 200, { "content-type": "application/json" });
}

const comma = Buffer.from(",");

/** @throws ProtocolError unless the parameter is missing or a whole number from 0 */
function wholeOf({ req }: Context, name: string, otherwise: number, most = Number.MAX_SAFE_INTEGER): number {
  const given = req.query(name);
  if (given === undefined) return otherwise;
  const value = /^\d{1,15}$/.test(given) ? Number(given) : NaN;
  if (value <= most) return value;
  throw new ProtocolError(
    `${name} is "${given.slice(0, 40)}"; allowed: integers from 0${most === Number.MAX_SAFE_INTEGER ? "" : ` to ${most}`}`,
  );
}
