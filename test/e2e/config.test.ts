/** The command `config` and the file of all programs, as a user types them. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sectionedCommands } from "../../cli/commands.ts";
import { fileSchema } from "../../cli/config/config-schema.ts";
import { runInProcess } from "../support/command-line.ts";

let printed = "";
let said = "";

beforeEach(() => {
  printed = said = "";
});

afterEach(() => {
  vi.unstubAllEnvs();
});

async function runCommandLine(args: readonly string[]): Promise<number> {
  const { status, stdout, stderr } = await runInProcess(...args);
  printed = stdout;
  said += stderr;
  return status;
}

function fileOf(yaml: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "spillway-config-")), "spillway.yaml");
  writeFileSync(path, yaml);
  return path;
}

interface Shown {
  readonly [program: string]: readonly { key: string; value: unknown; source: string; place?: string }[];
}

async function shown(...args: string[]): Promise<Shown> {
  const end = args.indexOf("--");
  const flags = end === -1 ? [] : args.splice(end);
  expect(await runCommandLine(["config", "show", ...args, "--json", ...flags])).toBe(0);
  return JSON.parse(printed) as Shown;
}

describe("config check", () => {
  it("names every unknown key with the nearest known one, and every value that is not allowed", async () => {
    const path = fileOf(
      "edge: { prot: 1 }\nvqueue: { slo: -1, pollicy: fixed, maxRows: x }\nloadgn: {}\nreplay: text\n",
    );
    expect(await runCommandLine(["config", "check", "--config", path, "--no-reach"])).toBe(2);
    expect(said.split("\n").toSorted()).toEqual(
      [
        "",
        `${path}: edge: unknown option "prot"; did you mean "port"?`,
        `${path}: unknown program "loadgn"; did you mean "loadgen"?`,
        `${path}: replay holds no options; expected lines such as "port: 8000" under it`,
        `${path}: vqueue.maxRows is "x"; allowed: an integer, 1 or more`,
        `${path}: vqueue.slo is -1; allowed: a number, above 0, to 86400`,
        `${path}: vqueue: unknown option "pollicy"; did you mean "policy"?`,
      ].toSorted(),
    );
    expect(printed).toBe(`${path}: options of edge, vqueue; 6 faults\n`);
  });

  it("warns of every URL where nobody is, and of no other", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const up = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const path = fileOf(
      `vqueue: { edge: [a=http://${up}, "b=127.0.0.1:1"], functions: "f=1x512@http://127.0.0.1:2" }\n`,
    );
    expect(await runCommandLine(["config", "check", "--config", path])).toBe(0);
    server.close();
    expect(said).toBe(
      `warning: ${path}: vqueue.edge: http://127.0.0.1:1 cannot be reached: ECONNREFUSED\n` +
        `warning: ${path}: vqueue.functions: http://127.0.0.1:2 cannot be reached: ECONNREFUSED\n`,
    );
  });

  it("takes a file with the options of one program when that is named", async () => {
    const path = fileOf("port: 1\nedg: []\n");
    expect(await runCommandLine(["config", "check", "vqueue", "--config", path, "--no-reach"])).toBe(2);
    expect(said).toBe(`${path}: unknown option "edg"; did you mean "edge"?\n`);
  });

  it("says which file is missing", async () => {
    expect(await runCommandLine(["config", "check", "--config", "/nowhere.yaml"])).toBe(2);
    expect(said).toBe("spillway: /nowhere.yaml: no such file\n");
  });
});

describe("config show", () => {
  it("says of each value where it was given: flag, environment, file or default, in this order", async () => {
    vi.stubEnv("SPILLWAY_SLO", "2");
    vi.stubEnv("SPILLWAY_PORT", "1");
    const path = fileOf("vqueue: { slo: 3, port: 3, timeout: 3 }\nedge: { port: 4 }\n");
    const { vqueue = [] } = await shown("vqueue", "--config", path, "--", "--slo", "1");
    const rows = vqueue.filter(({ key }) => ["slo", "port", "timeout", "host"].includes(key));
    expect(rows).toEqual([
      { key: "host", value: "127.0.0.1", source: "default" },
      { key: "port", value: 1, source: "environment", place: "SPILLWAY_PORT" },
      { key: "slo", value: 1, source: "flag", place: "--slo" },
      { key: "timeout", value: 3, source: "file", place: `${path}: vqueue.timeout` },
    ]);
  });

  it("shows the programs of the file, and no secrets", async () => {
    const path = fileOf(
      'vqueue: { adminToken: 0123456789abcdef }\nedge: { support: [{ name: a, command: [b], env: { KEY: "secret" } }] }\n',
    );
    const programs = await shown("--config", path);
    expect(Object.keys(programs)).toEqual(["edge", "vqueue"]);
    expect(printed).not.toMatch(/0123456789|secret"/);
    expect(programs["vqueue"]).toContainEqual({
      key: "adminToken",
      value: "(hidden)",
      source: "file",
      place: `${path}: vqueue.adminToken`,
    });
  });

  it("says what is wrong in place of showing it", async () => {
    const path = fileOf("vqueue: { slo: -1 }\n");
    expect(await runCommandLine(["config", "show", "--config", path])).toBe(2);
    expect(said).toBe(`spillway: ${path}: vqueue.slo is -1; allowed: a number, above 0, to 86400\n`);
  });
});

describe("the file", () => {
  it("has a section for each program, and each reads its own", async () => {
    const path = fileOf("prices: { json: true }\nvqueue: { slo: 1 }\n");
    expect(await runCommandLine(["prices", "--config", path])).toBe(0);
    expect(JSON.parse(printed)).toBeTruthy();
    vi.stubEnv("SPILLWAY_CONFIG", path);
    printed = "";
    expect(await runCommandLine(["prices"])).toBe(0);
    expect(JSON.parse(printed)).toBeTruthy();
  });

  it("is refused with an unknown option in the program's section, or an unknown program", async () => {
    const option = fileOf("prices: { jsn: true }\n");
    expect(await runCommandLine(["prices", "--config", option])).toBe(2);
    const program = fileOf("prices: {}\npricse: {}\n");
    expect(await runCommandLine(["prices", "--config", program])).toBe(2);
    expect(said).toBe(
      `spillway: ${option}: prices: unknown option "jsn"; did you mean "json"?\n` +
        `spillway: ${program}: unknown program "pricse"; did you mean "prices"?\n`,
    );
  });

  it("may have the options of one program alone, which may be called like a program", async () => {
    const path = fileOf("edge: http://127.0.0.1:1\nslo: 2\n");
    const { vqueue = [] } = await shown("vqueue", "--config", path);
    expect(vqueue.find(({ key }) => key === "edge")).toMatchObject({
      value: ["http://127.0.0.1:1"],
      source: "file",
    });
  });
});

it("the file that the guide shows has no faults", async () => {
  const guide = readFileSync(new URL("../../docs/guide/configuration.md", import.meta.url), "utf8");
  const path = fileOf(/```yaml\n([^]*?)```/.exec(guide)?.[1] ?? "");
  expect(await runCommandLine(["config", "check", "--config", path, "--no-reach"])).toBe(0);
  expect(printed).toBe(`${path}: options of edge, vqueue, loadgen; no faults\n`);
});

describe("config schema", () => {
  it("prints a section for each program, without keys of our own", async () => {
    expect(await runCommandLine(["config", "schema"])).toBe(0);
    const schema = JSON.parse(printed) as { properties: Record<string, { properties: object }> };
    expect(Object.keys(schema.properties)).toEqual(sectionedCommands().map(({ name }) => name));
    expect(Object.keys(schema.properties["vqueue"]?.properties ?? {})).toContain("sloQuantile");
    expect(printed).not.toMatch(/"(?:alias|bareValue|argument|none|secret|short)":/);
    expect(schema).toEqual(JSON.parse(JSON.stringify(await fileSchema(sectionedCommands()))));
  });
});
