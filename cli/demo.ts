/** Wires the demo: a model that plays devices, the run, what its record comes to otherwise, and the report. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { throwUsage } from "../base/usage-error.ts";
import { stopOnSignal } from "../base/program/stop-on-signal.ts";
import { embeddedModels } from "../edge/models/repository.ts";
import { runPrograms } from "../tools/demo/demo-run.ts";
import { replayUnderEach } from "../tools/demo/demo-replay.ts";
import { describeDevices, writeDeviceModel } from "../tools/demo/device.ts";
import type { DemoOptions } from "../tools/demo/options.ts";
import { say } from "../tools/demo/play-acts.ts";
import { closingSentence, formatReport, makeReport } from "../tools/demo/report.ts";
import { createPageFile, type PageFile } from "../replay/files.ts";

/** Tells whether a line of text is upside down. */
const model = "ocr-cls";
const handlerPath = fileURLToPath(new URL("../../fixtures/demo/handler.js", import.meta.url));

/** Exit status 0 when every answer came, was right, and every program ended well. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const stop = stopOnSignal("waiting for the answers that are under way");
  const folder = mkdtempSync(join(tmpdir(), "spillway-demo-"));
  const files = { models: join(folder, "models"), logPath: join(folder, "demo.log") };
  const record = options.record ?? join(folder, "record.ndjson");
  const reportPath = options.report ?? join(folder, "report.html");
  const page = openPage(reportPath);
  const onnxPath = embeddedModels().find(({ name }) => name === model)?.path as string;
  writeDeviceModel(files.models, { name: model, onnxPath, handlerPath });
  say(`${describeDevices()}\nstarting edge, functions and queue; they log to ${files.logPath}`);
  const run = await runPrograms(options, { ...files, model, record, stop });
  if (run === undefined) return 1;
  const { outage, isWell, edgePerS } = run;
  const report = makeReport(run, options.slo * 1_000);
  const { replayed, page: html } =
    report.requests === 0
      ? { replayed: [], page: "" }
      : await replayUnderEach(record, { seed: options.seed, outage, report });
  page.write(html);
  const sentence = replayed.length === 0 ? "no request was sent" : closingSentence(report, replayed);
  const written = { edgePerS, ...report, replayed, sentence, report: reportPath };
  process.stdout.write(
    options.json
      ? `${JSON.stringify(written)}\n`
      : `${formatReport(report, options.slo)}\n${sentence}.\nCharts: ${reportPath}\n`,
  );
  const isRight = isWell && report.wrong + report.lost === 0;
  if (!isRight) say(`the logs are in ${folder}`);
  else
    for (const path of [...Object.values(files), ...(options.record ? [] : [record])])
      rmSync(path, { recursive: true });
  return isRight ? 0 : 1;
}

/** @throws UsageError when the file cannot be written */
function openPage(path: string): PageFile {
  try {
    return createPageFile(path);
  } catch (error) {
    return throwUsage(error);
  }
}
