/** Command lines that end by themselves: help, wrong options, and what names the file or place at fault. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { executable } from "../support/built.ts";
import { runInProcess } from "../support/command-line.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-command-line-"));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  [["--version"], 0, /^\d+\.\d+\.\d+\n$/],
  [["edje"], 2, /^$/],
])("the program ends with the status of its command line (%j)", (flags, expected, printed) => {
  const { status, stdout } = spawnSync(process.execPath, [executable, ...flags], { encoding: "utf8" });
  expect(status).toBe(expected);
  expect(stdout).toMatch(printed);
});

it("lists every command, and every option with its unit and default", async () => {
  const { status, stdout } = await runInProcess("--help");
  expect(status).toBe(0);
  for (const command of ["edge", "vqueue", "function-host", "function", "demo"])
    expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
  const help = await runInProcess("vqueue", "--help");
  const text = help.stdout.replaceAll(/\s+/g, " ");
  expect(text).toContain("--slo <number>");
  expect(text).toContain("in seconds (above 0, to 86400; default: 1; env: SPILLWAY_SLO)");
  expect(text).toContain("--policy <string>");
  expect(text).toMatch(/--no-serverless [^(]*to the edge alone \(env: SPILLWAY_SERVERLESS=false\)/);
});

it.each([
  [["vqueue", "--slo", "-1"], /--slo is -1/],
  [["vqueue", "--slo", "soon"], /--slo is "soon"; allowed: a number, above 0, to 86400/],
  [["vqueue", "--edge", "near"], /--edge is "near"; allowed: a URL/],
  [["vqueue", "--edge", "ftp://a"], /--edge is "ftp:\/\/a"; allowed: .*http:\/\/ or https:\/\//],
  [["vqueue", "--port", "8123", "--edge", "localhost:8123/v2"], /--edge is the queue itself/],
  [["vqueue", "--functions", "a=1x512@ftp://b"], /--functions is .*http:\/\/ or https:\/\//],
  [["detect"], /--series is missing: CSV file/],
  [["detect", "--series", "/no/such/file"], /^spillway: \/no\/such\/file: no such file$/m],
  [["detect", "--series", "/tmp"], /\/tmp: is a folder, not a file/],
  [["detect", "--log-level", "info"], /unknown option '--log-level'/],
  [["edge", "--host", "999.1.1.1"], /cannot listen on host 999\.1\.1\.1/],
  [["edge", "--prot", "1"], /Did you mean --port/],
  [["edje"], /unknown command 'edje'/],
  [["edge", "--models", "/no/such/models"], /--models: \/no\/such\/models: no such folder; expected NAME\//],
  [["function", "--models", process.execPath], /node: not a folder/],
  [["vqueue", "--prices", "cheap"], /no price sheet "cheap"/],
  [["vqueue", "--fc-endpoint", "fc.example.com"], /ALIBABA_CLOUD_ACCESS_KEY_ID/],
  [["vqueue", "--record", "/no/such/folder/r"], /\/no\/such\/folder\/r: no such folder/],
  [["vqueue", "--config", "/no/such/file"], /\/no\/such\/file: no such file/],
  [["vqueue", "--edge-batch", "4"], /--edge-batch is 4; it is allowed with --policy fixed only/],
  [["vqueue", "--plan", "fixed", "--profile", "p"], /--profile is "p"; it is allowed with --policy spillway/],
  [["vqueue", "--profile", "/no/such/profile"], /--profile: \/no\/such\/profile: no such file/],
  [["vqueue", "--functions", "small=0.5"], /--functions is "small=0.5"; allowed: NAME=VCPUxMIB, such as /],
  [
    ["vqueue", "--functions", "a=99x512"],
    /--functions is "a=99x512"; allowed: .*; function 1, vcpu is 99; allowed: .*16/,
  ],
  [["vqueue", "--functions", "a=1x512,a=2x512"], /two functions have one name/],
  [["functions", "--vcpu", "1"], /unknown option '--vcpu'/],
])("ends with status 2 and one clear line for %j", async (flags, message) => {
  const { status, stderr } = await runInProcess(...flags);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n {4}at /);
});

it("refuses a variable of the environment that no command has, and names the nearest", () => {
  const run = (env: Readonly<Record<string, string>>): { status: number | null; stderr: string } =>
    spawnSync(process.execPath, [executable, "detect", "--series", "/no/such/file"], {
      encoding: "utf8",
      env: { ...process.env, ...env },
    });
  expect(run({ SPILLWAY_SERIE: "x" })).toMatchObject({
    status: 2,
    stderr:
      'spillway: SPILLWAY_SERIE is set in the environment, and is no option; did you mean "SPILLWAY_SERIES"?\n',
  });
  expect(run({ SPILLWAY_SLLO: "1" }).stderr).toContain('did you mean "SPILLWAY_SLO"?');
  // An option of another command, and what Kubernetes sets for a service of this name.
  const others = {
    SPILLWAY_SLO: "1",
    SPILLWAY_SERVICE_HOST: "10.0.0.1",
    SPILLWAY_PORT_80_TCP_ADDR: "10.0.0.1",
  };
  expect(run(others).stderr).toMatch(/no such file/);
});

it.each([
  [
    "a scenario without its SLO",
    { name: "s" },
    /s\.json:sloMs: it is missing; allowed: a number of milliseconds/,
  ],
  [
    "a profile",
    { format: "spillway-profile/1", targets: [] },
    /s\.json: this is a profile, .*spillway profile --scenario makes/,
  ],
])("says in one line what is wrong with %s", async (_, scenario, message) => {
  const [trace, path] = ["t.csv", "s.json"].map((name) => join(folder, name)) as [string, string];
  writeFileSync(trace, "t\n1\n");
  writeFileSync(path, JSON.stringify(scenario));
  const { status, stderr } = await runInProcess("replay", "--trace", trace, "--scenario", path);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

it("refuses a pipeline among a function's models, by its file", async () => {
  const pipeline = join(folder, "pipelines", "page");
  mkdirSync(pipeline, { recursive: true });
  const inputs = "{ x: { datatype: FP32, shape: [-1, 1] } }";
  const stages = "[{ name: a, model: b, inputs: { x: x } }]";
  writeFileSync(
    join(pipeline, "config.yaml"),
    `pipeline: { inputs: ${inputs}, stages: ${stages}, outputs: { y: a.y } }\n`,
  );
  const { status, stderr } = await runInProcess("function", "--models", join(folder, "pipelines"));
  expect(status).toBe(2);
  expect(stderr).toContain("page/config.yaml: a pipeline; allowed in a function: single models");
});

it("knows commands and options by earlier names that no help lists", async () => {
  const { stdout } = await runInProcess("--help");
  expect(stdout).not.toMatch(/^  functions /m);
  const host = await runInProcess("function-host", "--help");
  const earlier = await runInProcess("functions", "--help");
  const queue = await runInProcess("vqueue", "--help");
  expect(earlier.stdout).toBe(host.stdout.replace("spillway function-host", "spillway functions"));
  expect(queue.stdout).not.toContain("--plan");
});

it.each([
  ["programs: []", /fleet\.yaml: programs: /],
  ["program: []", /fleet\.yaml: /],
  [
    "programs: [{ command: edje }]",
    /fleet\.yaml: programs\.0\.command: "edje" is no command of a fleet; allowed: edge, .*did you mean "edge"\?/,
  ],
  [
    "programs: [{ command: edge, options: { port: 9000 } }, { command: vqueue, options: { port: 9000 } }]",
    /programs\.1: vqueue and edge both have port 9000; give one another port/,
  ],
  [
    "programs: [{ command: edge, options: { host: 0.0.0.0 } }, { command: edge, name: b }]",
    /programs\.1: b and edge both have port 8000/,
  ],
  [
    "programs: [{ command: edge, options: { prot: 1 } }]",
    /programs\.0\.options: unknown option "prot"; did you mean "port"/,
  ],
  [
    "programs: [{ command: edge, options: { port: 99999 } }]",
    /programs\.0\.options\.port is 99999; allowed: an integer, 0 to 65535/,
  ],
  [
    "programs: [{ command: edge, options: { port: 0 } }]",
    /programs\.0\.options\.port is 0; allowed: 1 to 65535/,
  ],
  ["programs: [{ command: edge }, { command: edge }]", /programs\.1: the name "edge" is taken/],
  ["programs: [", /fleet\.yaml: .*line 1/],
])("names the file and the place of what is wrong in %j", async (text, message) => {
  const path = join(folder, "fleet.yaml");
  writeFileSync(path, text);
  const { status, stderr } = await runInProcess("up", "-f", path);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n {4}at /);
});
