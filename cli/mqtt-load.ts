/** `spillway mqtt load`: devices that send messages to a broker, and how long their results take. */
import { checkInstalled } from "../base/optional-package.ts";
import { createProgress, progressBar, stopOnSignal } from "../base/program/progress.ts";
import { formatLoadResult, loadResult } from "../tools/load/load-result.ts";
import type { MqttLoadOptions } from "../tools/mqtt/options.ts";

/** Exit status 0 when any message had a result, else 1. */
export async function runMqttLoad(options: MqttLoadOptions): Promise<number> {
  checkInstalled("mqtt load", ["mqtt"]);
  const { runDevices } = await import("../tools/mqtt/mqtt-load.ts");
  const { url, quantile, rate, seconds, messages = Infinity } = options;
  const stop = stopOnSignal("waiting for the results of what was sent");
  const progress = createProgress(process.stderr);
  const expected = Math.min(rate * seconds, messages);
  process.stderr.write(`sending to ${url}\n`);
  const run = await runDevices(options, process.env, stop, ({ answered, failed }) => {
    progress.show(
      () => `${progressBar((answered + failed) / expected)} ${answered} results, ${failed} without`,
    );
  });
  progress.end();
  const result = loadResult(run.figures, quantile, stop.aborted);
  const { twice, strange, payloadBytes, backlog } = run;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ url, payloadBytes, ...result, twice, strange, backlog })}\n`);
  } else {
    const rows: [string, string][] = [["message", `${payloadBytes} bytes`]];
    if (twice > 0) rows.push(["came twice", `${twice} results`]);
    if (strange > 0) rows.push(["not ours", `${strange} results`]);
    if (backlog !== undefined)
      rows.push([
        "backlog",
        `at most ${backlog.mostPreQueue} before and ${backlog.mostPostQueue} after inference; at the end ${backlog.lastPreQueue} and ${backlog.lastPostQueue}`,
      ]);
    const more = rows.map(([name, value]) => `  ${name.padEnd(14)} ${value}\n`).join("");
    process.stdout.write(formatLoadResult(result) + more);
  }
  return result.answered > 0 ? 0 : 1;
}
