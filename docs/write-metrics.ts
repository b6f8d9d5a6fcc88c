/** Writes the metrics of the edge server and of the queue. Run `node dist/docs/write-metrics.js` after a build. */
import { writeFileSync } from "node:fs";
import { QueueMetrics } from "../client/daemon/observe/metrics.ts";
import { Metrics } from "../edge/observe/metrics.ts";
import { StatisticsBook } from "../edge/observe/model-statistics.ts";
import { wrapProse } from "./prose.ts";

const nothing = { spent: 0, limit: null };
const queue = new QueueMetrics(() => {
  return { currency: "CNY", isReached: false, reserved: 0, hour: nothing, day: nothing };
});
const edge = new Metrics([], new StatisticsBook());

/** From the text of a scrape without samples, which has the meaning and the type of each metric. */
function table(scrape: string): string {
  const rows = scrape.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm);
  const lines = Array.from(rows, ([, name, meaning, type]) => `| \`${name}\` | ${type} | ${meaning} |`);
  return `| metric | type | meaning |\n|---|---|---|\n${lines.join("\n")}`;
}

const page = `# Metrics

At \`GET /metrics\`, in the text format of Prometheus.

## The queue

Labels are names of targets and words of fixed lists, never a model or a key, which callers choose.

${table(await queue.text())}

## The edge server

Those that begin with \`nv_\` have the names and units of Triton, whose dashboards and autoscalers work unchanged.

${table(await edge.text())}
`;
writeFileSync(new URL("../../docs/reference/metrics.md", import.meta.url), wrapProse(page));
