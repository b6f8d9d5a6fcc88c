/** `spillway infer`: sends a file of rows or a folder of pictures as bulk, and writes the results in order. */
import { statSync } from "node:fs";
import { whyUnreadable } from "../base/error-text.ts";
import { checkFolder } from "../base/output-file.ts";
import { createProgress, progressBar, stopOnSignal } from "../base/program/progress.ts";
import { UsageError } from "../base/usage-error.ts";
import { edgeAuth } from "../client/transports/http-auth.ts";
import { withBodyForm } from "../client/transports/body-form.ts";
import { httpTransport } from "../client/transports/http-transport.ts";
import type { BulkInput } from "../tools/infer/bulk-input.ts";
import { type BulkModel, bulkModel } from "../tools/infer/bulk-model.ts";
import { BulkSender } from "../tools/infer/bulk-sender.ts";
import { inferFigures, formatInfer } from "../tools/infer/infer-table.ts";
import { openLines } from "../tools/infer/line-input.ts";
import type { InferOptions } from "../tools/infer/options.ts";
import { openPictures } from "../tools/infer/picture-input.ts";
import { ResultFile } from "../tools/infer/result-file.ts";
import { runInfer } from "../tools/infer/run-infer.ts";

/** Exit status 0 when every row is answered, by this run or an earlier one, else 1. */
export async function runInferCommand(options: InferOptions): Promise<number> {
  const { url, model, out, batch, concurrency, auth } = options;
  const kind = kindOf(options);
  checkFolder("--out", out);
  const proof = edgeAuth(auth, "--auth", process.env);
  const plain = httpTransport({ url, connections: concurrency, auth: proof });
  const transport = withBodyForm(plain, () => performance.now());
  try {
    const known = await bulkModel(transport, url, model);
    const input = await inputOf(kind, options, known);
    const { digest, count } = input;
    const results = ResultFile.open(out, { model, kind, digest, count });
    const before = results.done;
    const stop = stopOnSignal(
      "waiting for the answers that are under way; again: end at once, and keep what was answered",
    );
    const show = progressOf(results, count);
    const sender = new BulkSender({
      transport,
      model,
      lane: options.lane,
      timeoutMs: options.timeout * 1_000,
      patienceMs: options.patience * 1_000,
      stop,
      onWait: show.waits,
    });
    const mostRows = Math.min(batch, known.mostRows);
    const startedAtMs = performance.now();
    try {
      const run = { input, sender, results, mostRows, concurrency, stop, onProgress: show.moves };
      const { tally, why } = await runInfer(run).finally(() => show.end());
      const seconds = (performance.now() - startedAtMs) / 1_000;
      const { done, failed: failedInAll } = results;
      const figures = inferFigures({ tally, why, seconds, before, done, failedInAll, count, out });
      process.stdout.write(options.json ? `${JSON.stringify(figures)}\n` : formatInfer(figures));
      return why === undefined && results.failed === 0 ? 0 : 1;
    } finally {
      results.close();
    }
  } finally {
    await transport.close();
  }
}

function kindOf({ input, as }: InferOptions): BulkInput["kind"] {
  const found = statSync(input, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`${input}: ${whyUnreadable({ code: "ENOENT" })}`);
  const isFolder = found.isDirectory();
  if (as === "auto") return isFolder ? "pictures" : /\.(jsonl|ndjson)$/i.test(input) ? "jsonl" : "lines";
  if (isFolder !== (as === "pictures"))
    throw new UsageError(`--as ${as}: ${input} is ${isFolder ? "a folder" : "a file"}`);
  return as;
}

async function inputOf(
  kind: BulkInput["kind"],
  { input, model }: InferOptions,
  { metadata, description }: BulkModel,
): Promise<BulkInput> {
  return kind === "pictures" ? openPictures(input, model, description) : openLines(input, kind, metadata);
}

interface ShownProgress {
  readonly moves: () => void;
  readonly waits: (why: string | undefined) => void;
  readonly end: () => void;
}

/** A bar of the rows, with the rate of this run and the time that is left by it. */
function progressOf(results: ResultFile, count: number): ShownProgress {
  const progress = createProgress(process.stderr);
  const startedAtMs = performance.now();
  const before = results.done;
  let waitsFor: string | undefined;
  const text = (): string => {
    const { done } = results;
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const rate = (done - before) / seconds;
    const left = rate > 0 ? `, ${timeText((count - done) / rate)} left` : "";
    const wait = waitsFor === undefined ? "" : `, waiting: ${waitsFor}`;
    return `${progressBar(done / count)}  ${done} of ${count}, ${rate.toFixed(rate < 10 ? 1 : 0)}/s${left}${wait}`;
  };
  const showing = setInterval(() => progress.show(text), 500).unref();
  return {
    moves: () => progress.show(text),
    waits: (why) => (waitsFor = why),
    end: () => {
      clearInterval(showing);
      progress.end();
    },
  };
}

function timeText(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  return seconds < 6_000 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}
