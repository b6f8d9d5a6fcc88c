/** What the documents show must run, and what is made from tables must be up to date. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { replayPolicyNames, replayParameters } from "../../replay/peers/registry.ts";
import { parseMqttConfig } from "../../client/daemon/ingress/mqtt/rules/config/read-config.ts";
import { readModelConfig } from "../../edge/models/model-config.ts";
import { checkPriceSheet } from "../../serverless/prices/price-sheet.ts";
import { executable } from "../support/built.ts";
import { freePorts } from "../support/free-ports.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

it("the tables of the reference are what the code says", () => {
  const files = ["options.md", "metrics.md", "errors.md", "prices.md", "model-config.md", "mqtt-rules.md"];
  const readAll = (): string[] =>
    [...files, "model-config.schema.json", "mqtt-rules.schema.json"].map((file) =>
      read(`docs/reference/${file}`),
    );
  const before = readAll();
  execFileSync(process.execPath, [join(root, "dist/docs/write-reference.js")]);
  expect(readAll()).toEqual(before);
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
  expect(printed).toMatch(/^(\[ 1, 2 \] edge [123]\n){3}$/);
});

it("the settings that the models' page shows are allowed", () => {
  const settings = /```yaml\n([^]*?)```/.exec(read("docs/guide/models.md"))?.[1] ?? "";
  expect(readModelConfig(parseYaml(settings), "docs/guide/models.md")).toMatchObject({ maxBatchRows: 32 });
});

it("the rules that the page of MQTT rules shows are allowed", () => {
  const rules = /```yaml\n([^]*?)```/.exec(read("docs/guide/mqtt-rules.md"))?.[1] ?? "";
  expect(parseMqttConfig(rules, "docs/guide/mqtt-rules.md").rules).toHaveLength(1);
});

it("the price sheet that the prices' page shows is allowed", () => {
  const sheet = /```json\n([^]*?)```/.exec(read("docs/reference/prices.md"))?.[1] ?? "";
  expect(checkPriceSheet(JSON.parse(sheet), "docs/reference/prices.md")).toMatchObject({ name: "ours" });
});

it("the scenario of the replay's page runs", () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-docs-"));
  const scenario = /```json\n([^]*?)```/.exec(read("docs/guide/replay.md"))?.[1] ?? "";
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
  const page = read("docs/reference/policies.md");
  for (const name of replayPolicyNames) expect(page).toContain(`**\`${name}\`**`);
  for (const [name, grid] of Object.entries(replayParameters)) {
    const section = page.slice(page.indexOf(`**\`${name}\`**`));
    for (const [parameter, { default: value, candidates }] of Object.entries(grid)) {
      const row = section.split("\n").find((line) => line.startsWith(`| \`${parameter}\``)) ?? "";
      const [, ...cells] = row.split("|").map((cell) => cell.trim());
      expect(cells.slice(1)).toEqual([String(value), candidates.join(", "), ""]);
      expect(candidates).toContain(value);
    }
  }
});

it("the examples of the page of tools run as they stand", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-docs-"));
  let page = read("docs/guide/tools.md");
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

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path)),
];

it.each(pages)("every link, picture and path of %s is there", (page) => {
  for (const [, link = ""] of read(page).matchAll(/\]\(([^)#]+)\)/g)) {
    if (link.startsWith("http")) continue;
    expect(existsSync(join(root, page, "..", link)), link).toBe(true);
  }
  const rooms =
    "algorithms|base|bench|cli|client|docs|edge|examples|fixtures|protocol|replay|serverless|test|tools";
  for (const [, path = ""] of read(page).matchAll(new RegExp(`\`((?:${rooms})/[\\w./-]*)\``, "g"))) {
    // Made by `npm run build:function`.
    if (!path.startsWith("serverless/build/")) expect(existsSync(join(root, path)), path).toBe(true);
  }
});
