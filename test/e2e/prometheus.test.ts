/** What Prometheus and Grafana get of us: metrics, alert rules and a dashboard that fit each other, and a real scrape. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QueueMetrics } from "../../client/daemon/observe/metrics.ts";
import { Metrics } from "../../edge/observe/metrics.ts";
import { StatisticsBook } from "../../edge/observe/model-statistics.ts";
import { identityModel, putModel } from "../contract/conformance-models.ts";
import { type RunningProgram, startProgram } from "../contract/running-program.ts";
import { caller } from "../contract/v2-caller.ts";
import { freePorts } from "../support/free-ports.ts";

const deployed = (file: string): string => fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url));
const prometheusFolder = deployed("prometheus");
const alertTests = ["alerts.test.yml", "alerts-hours.test.yml"];

const isThere = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;
const without = (program: string): string =>
  `${program} is not installed (Debian: apt-get install prometheus)`;

function promtool(args: readonly string[], input = ""): void {
  const { status, stdout, stderr } = spawnSync("promtool", args, {
    cwd: prometheusFolder,
    input,
    encoding: "utf8",
  });
  expect(`${stdout}${stderr}`.trim() + (status === 0 ? "" : " (failed)")).not.toContain("(failed)");
}

/** Names of all series, those of histograms with their endings. */
async function knownSeries(): Promise<ReadonlySet<string>> {
  const nothing = { spent: 0, limit: null };
  const spend = { currency: "CNY", isReached: false, reserved: 0, hour: nothing, day: nothing };
  const texts = await Promise.all([
    new QueueMetrics({ spend: () => spend }).text(),
    new Metrics([], new StatisticsBook()).text(),
  ]);
  const found = texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]);
  return new Set(
    found.flatMap(([, name = "", type]) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

const seriesNames = (text: string): string[] => [
  ...new Set(text.match(/(?<![\w:])(?:spillway|nv)_[a-z0-9_]+(?=[{[) /,"]|$)/gm)),
];

describe("names of metrics", () => {
  it.each(["grafana/spillway.json", "prometheus/alerts.yml", "prometheus/alerts.test.yml"])(
    "that %s uses are those of the queue and the edge server",
    async (file) => {
      const known = await knownSeries();
      const used = seriesNames(readFileSync(deployed(file), "utf8"));
      expect(used.length).toBeGreaterThan(5);
      expect(used.filter((name) => !known.has(name))).toEqual([]);
    },
  );

  it("in the guide are those of the queue", async () => {
    const known = new Set(Array.from(await knownSeries(), (name) => name.replace(/_bucket$/, "")));
    const guide = readFileSync(new URL("../../docs/guide/metrics.md", import.meta.url), "utf8");
    const table = guide.split("## What to look at")[1]?.split("## ")[0] ?? "";
    const labels = new Set(["cause", "adopted", "lane", "code", "too_late", "no_edge"]);
    const named = [...table.matchAll(/`([a-z]+(?:_[a-z0-9]+)+|spend)`/g)].map(([, name = ""]) => name);
    const unknown = named.filter((name) => !labels.has(name) && !known.has(`spillway_queue_${name}`));
    expect(unknown.filter((name) => name !== "spillway_queue_")).toEqual([]);
    expect(named.length).toBeGreaterThan(25);
  });

  it("have alerts in the guide as in the rules", () => {
    const rules = readFileSync(deployed("prometheus/alerts.yml"), "utf8");
    const guide = readFileSync(new URL("../../docs/guide/metrics.md", import.meta.url), "utf8");
    const inRules = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
    const inGuide = [...guide.matchAll(/^\| `(Spillway\w+)`/gm)].map(([, name]) => name);
    expect(new Set(inGuide)).toEqual(new Set(inRules));
    const tests = alertTests.map((file) => readFileSync(join(prometheusFolder, file), "utf8")).join("");
    expect(inRules.filter((name) => !tests.includes(`{alertname="${name}"}'\n            value: 1`))).toEqual(
      [],
    );
  });
});

describe("the files for Prometheus", { tags: ["slow"] }, () => {
  it("are well-formed", ({ skip }) => {
    if (!isThere("promtool")) return skip(without("promtool"));
    promtool(["check", "config", "prometheus.yml"]);
    promtool(["check", "rules", "alerts.yml"]);
  });

  it("fire each alert when its condition is broken, and none while all is calm", ({ skip }) => {
    if (!isThere("promtool")) return skip(without("promtool"));
    promtool(["test", "rules", ...alertTests]);
  }, 120_000);
});

describe("a queue and an edge that serve", { tags: ["slow"] }, () => {
  const programs: RunningProgram[] = [];
  let prometheus: ChildProcess | undefined;
  const urls = { queue: "", edge: "" };

  beforeAll(async () => {
    const models = mkdtempSync(join(tmpdir(), "spillway-prometheus-"));
    putModel(models, "id", "1", identityModel(["FP32"], [2]));
    const edge = await startProgram("edge", ["--models", models]);
    programs.push(edge);
    const queue = await startProgram("vqueue", [
      "--no-serverless",
      `--edge=${edge.url}`,
      "--calibrate=0",
      "--slo=10",
      "--lanes=realtime=5,bulk",
    ]);
    programs.push(queue);
    [urls.queue, urls.edge] = [queue.url, edge.url];
    const infer = caller(() => queue.url);
    const row = { inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], data: [1, 2] }] };
    for (const lane of ["realtime", "bulk", ""]) {
      const parameters = { spillway_lane: lane };
      expect((await infer("/v2/models/id/infer", { ...row, parameters })).status).toBe(200);
    }
    expect((await infer("/v2/models/not-there/infer", row)).status).toBe(404);
    const unknownLane = { ...row, parameters: { spillway_lane: "made-up" } };
    expect((await infer("/v2/models/id/infer", unknownLane)).status).toBe(400);
  });

  afterAll(async () => {
    if (prometheus !== undefined) {
      const ended = once(prometheus, "exit");
      prometheus.kill("SIGTERM");
      await ended;
    }
    for (const program of programs.toReversed()) await program.stop();
  });

  it.each(["queue", "edge"] as const)("give metrics that promtool finds no fault with: %s", async (of) => {
    const text = await (await fetch(`${urls[of]}/metrics`)).text();
    expect(text).not.toContain("not-there");
    expect(text).not.toContain("made-up");
    if (!isThere("promtool")) return;
    // Triton's names are kept as they are, though they have no unit of Prometheus.
    const own = text.split("\n").filter((line) => !/^(?:# (?:HELP|TYPE) )?nv_/.test(line));
    const checked = spawnSync("promtool", ["check", "metrics"], { input: own.join("\n"), encoding: "utf8" });
    expect([checked.status, checked.stderr, checked.stdout]).toEqual([0, "", ""]);
  });

  it("are scraped by a real Prometheus, which evaluates the alert rules", async ({ skip }) => {
    if (!isThere("prometheus")) return skip(without("prometheus"));
    const folder = mkdtempSync(join(tmpdir(), "spillway-prometheus-"));
    const [port = 0] = await freePorts(1);
    const config = readFileSync(deployed("prometheus/prometheus.yml"), "utf8")
      .replaceAll("15s", "1s")
      .replace("alerts.yml", deployed("prometheus/alerts.yml"))
      .replace("127.0.0.1:8080", new URL(urls.queue).host)
      .replace("127.0.0.1:8000", new URL(urls.edge).host);
    writeFileSync(join(folder, "prometheus.yml"), config);
    prometheus = spawn(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
    const ask = async (path: string): Promise<unknown> => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => undefined);
      return answer?.status === 200 ? ((await answer.json()) as { data: unknown }).data : undefined;
    };
    const query = async (text: string): Promise<Record<string, string>[]> => {
      const data = (await ask(`query?query=${encodeURIComponent(text)}`)) as
        | { result: { metric: Record<string, string>; value: [number, string] }[] }
        | undefined;
      return (data?.result ?? []).map(({ metric, value: [, value] }) => ({ ...metric, value }));
    };
    await expect
      .poll(() => query('spillway_queue_requests_total{outcome="served"}'))
      .toEqual(
        expect.arrayContaining([
          expect.objectContaining({ target: "edge", lane: "realtime", value: "1", job: "spillway-queue" }),
          expect.objectContaining({ target: "edge", lane: "bulk", value: "1" }),
        ]),
      );
    await expect.poll(() => query("up == 1")).toHaveLength(2);
    await expect.poll(() => query("count(spillway_replicas)")).toHaveLength(1);
    const rules = async (): Promise<string[]> => {
      const data = (await ask("rules")) as
        | { groups: { rules: { name: string; health: string }[] }[] }
        | undefined;
      return (data?.groups ?? []).flatMap((group) =>
        group.rules.map(({ name, health }) => `${name} ${health}`),
      );
    };
    await expect.poll(async () => (await rules()).filter((rule) => rule.endsWith(" ok")).length).toBe(18);
    // The condition of an alert for an edge that is away, and no other, holds once it is stopped.
    expect(await query('ALERTS{alertname="SpillwayEdgeAway"}')).toEqual([]);
    await programs[0]?.stop();
    const row = { inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], data: [1, 2] }] };
    const timeout = { ...row, parameters: { timeout: 3_000_000 } };
    await caller(() => urls.queue)("/v2/models/id/infer", timeout);
    await expect
      .poll(async () => (await query('ALERTS{alertname="SpillwayEdgeAway"}')).map(({ target }) => target))
      .toEqual(["edge"]);
  });
});
