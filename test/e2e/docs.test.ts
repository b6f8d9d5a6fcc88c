/** What the documents show must run, and what is made from tables must be up to date. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { replayPolicyNames, replayParameters } from "../../replay/peers/registry.ts";
import { readModelConfig } from "../../edge/models/read-model-config.ts";
import { checkPriceSheet } from "../../serverless/prices/price-sheet.ts";
import { executable } from "../support/built.ts";
import { freePorts } from "../support/free-ports.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

it.each([
  ["docs/errors.md", "dist/docs/write-errors.js"],
  ["docs/prices.md", "dist/docs/write-prices.js"],
  ["docs/model-config.md", "dist/docs/write-model-config.js"],
  ["docs/model-config.schema.json", "dist/docs/write-model-config.js"],
  ["fixtures/traces/demo.csv", "dist/fixtures/traces/make-demo-trace.js"],
])("%s is what %s writes", (file, script) => {
  const before = read(file);
  execFileSync(process.execPath, [join(root, script)]);
  expect(read(file)).toBe(before);
});

it("the demo's trace is calm at 10 a second or more, doubles, and has a burst of four times that for 10 s", () => {
  const moments = read("fixtures/traces/demo.csv").trim().split("\n").slice(1).map(Number);
  const rate = (fromS: number, toS: number): number =>
    moments.filter((atS) => atS >= fromS && atS < toS).length / (toS - fromS);
  const calm = rate(0, 20);
  expect(calm).toBeGreaterThanOrEqual(10);
  expect(rate(20, 36) / calm).toBeCloseTo(2, 0);
  expect(rate(36, 48) / ((rate(0, 20) * 20 + rate(48, 60) * 12) / 32)).toBeGreaterThanOrEqual(4);
});

it("the library example of the README runs against an edge server", async () => {
  const edge = spawn(process.execPath, [executable, "edge", "--port", "0", "--load", "ocr-cls"], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const [{ url }] = (await once(edge, "message")) as [{ url: string }];
  const example = /```js\n([^]*?)```/.exec(read("README.md"))?.[1] ?? "";
  const script = join(mkdtempSync(join(tmpdir(), "spillway-docs-")), "example.mjs");
  const library = new URL("../../dist/index.js", import.meta.url).href;
  writeFileSync(script, example.replace('"spillway"', `"${library}"`).replace("http://127.0.0.1:8000", url));
  const printed = execFileSync(process.execPath, [script], { encoding: "utf8" });
  edge.kill("SIGTERM");
  await once(edge, "exit");
  expect(printed).toMatch(/^\[ 1, 2 \] 1 4[0-9]{2}\n$/);
});

it("the settings that the models' page shows are allowed", () => {
  const settings = /```yaml\n([^]*?)```/.exec(read("docs/models.md"))?.[1] ?? "";
  expect(readModelConfig(parseYaml(settings), "docs/models.md")).toMatchObject({ maxBatchRows: 32 });
});

it("the price sheet that the prices' page shows is allowed", () => {
  const sheet = /```json\n([^]*?)```/.exec(read("docs/prices.md"))?.[1] ?? "";
  expect(checkPriceSheet(JSON.parse(sheet), "docs/prices.md")).toMatchObject({ name: "ours" });
});

it("the scenario of the replay's page runs", () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-docs-"));
  const scenario = /```json\n([^]*?)```/.exec(read("docs/replay.md"))?.[1] ?? "";
  writeFileSync(join(folder, "world.json"), scenario);
  writeFileSync(join(folder, "trace.csv"), "second,rate_rps\n0,20\n10,200\n20,20\n");
  const files = ["--trace", join(folder, "trace.csv"), "--scenario", join(folder, "world.json")];
  const flags = [executable, "replay", ...files, "--policy", "spillway", "--json"];
  const summary = JSON.parse(execFileSync(process.execPath, flags, { encoding: "utf8" })) as {
    requests: number;
    inSloShare: number;
  };
  expect(summary.requests).toBeGreaterThan(2_000);
  expect(summary.inSloShare).toBeGreaterThan(0.9);
});

it("the page of replayPolicies has every policy, and every parameter with its default and candidates", () => {
  const page = read("docs/policies.md");
  for (const name of replayPolicyNames) expect(page).toContain(`**\`${name}\`**`);
  for (const [name, grid] of Object.entries(replayParameters)) {
    const section = page.slice(page.indexOf(`**\`${name}\`**`));
    for (const [parameter, { default: value, candidates }] of Object.entries(grid)) {
      const row = section.split("\n").find((line) => line.startsWith(`| \`${parameter}\``)) ?? "";
      expect(row.split(" | ").slice(1).join(" | ")).toBe(`${value} | ${candidates.join(", ")} |`);
      expect(candidates).toContain(value);
    }
  }
});

it("the examples of the page of tools run as they stand", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-docs-"));
  let page = read("docs/tools.md");
  const ports = ["8000", "9000", "8080"];
  const free = await freePorts(ports.length);
  for (const [index, port] of ports.entries()) page = page.replaceAll(port, String(free[index]));
  writeFileSync(join(folder, "fleet.yaml"), /```yaml\n([^]*?)```/.exec(page)?.[1] ?? "");
  const commands = Array.from(page.matchAll(/```sh\n([^]*?)```/g), ([, text = ""]) => text).join("");
  const script = `set -e\n${commands.replaceAll("npx spillway", `"${process.execPath}" "${executable}"`)}`;
  const shell = spawn("sh", ["-c", script], { cwd: folder });
  let [stdout, stderr] = ["", ""];
  shell.stdout.on("data", (text) => (stdout += text));
  shell.stderr.on("data", (text) => (stderr += text));
  const [status] = (await once(shell, "close")) as [number];
  if (status !== 0) spawnSync(process.execPath, [executable, "down"], { cwd: folder });
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/queue +ready/);
  expect(stdout).toContain("best throughput");
  expect(stderr).toMatch(/queue stopped\nfunctions stopped\nedge stopped\n$/);
}, 90_000);

it("every link and picture of the documents is there", () => {
  for (const file of [
    "README.md",
    "docs/architecture.md",
    "docs/serverless.md",
    "docs/deploy.md",
    "docs/errors.md",
    "docs/replay.md",
    "docs/policies.md",
    "docs/tools.md",
    "docs/models.md",
    "docs/model-config.md",
    "docs/prices.md",
  ]) {
    for (const [, link = ""] of read(file).matchAll(/\]\(([^)#]+)\)/g)) {
      if (link.startsWith("http")) continue;
      expect(() => read(join(file, "..", link)), `${file}: ${link}`).not.toThrow();
    }
  }
});
