import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { daemonOptions } from "../../client/daemon/options.ts";
import { longestStartMs } from "../../client/transports/capped-transport.ts";
import { functionMenu } from "../../serverless/prices/function-menu.ts";
import { readFunctionProperties } from "../../serverless/deploy/function-properties.ts";
import { s, template } from "../support/serverless-devs.ts";

/** A copy of s.yaml with something else in it. */
function changed(...changes: readonly (readonly [string, string])[]): string {
  let text = readFileSync(template, "utf8");
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  const file = join(mkdtempSync(join(tmpdir(), "spillway-s-yaml-")), "s.yaml");
  writeFileSync(file, text);
  return file;
}

it("s.yaml holds functions that our schema allows, set by the environment, under names that a menu takes", async () => {
  const { status, stdout, output } = await s(["preview", "-t", template, "--silent", "-o", "json"], {
    SPILLWAY_FC_PREFIX: "mine",
    SPILLWAY_FC_REGION: "ap-southeast-1",
    SPILLWAY_FC_TIMEOUT: "30",
  });
  expect(status, output).toBe(0);
  const { resources } = JSON.parse(stdout) as { resources: Record<string, { props: unknown }> };
  const functions = Object.values(resources).map(({ props }) => readFunctionProperties(props));
  const menu = functions.map(({ functionName, cpu, memorySize }) => `${functionName}=${cpu}x${memorySize}`);
  expect(functionMenu.parse(menu.join(",")).map(({ name }) => name)).toEqual([
    "mine-small",
    "mine-medium",
    "mine-large",
  ]);
  for (const { timeout, region, layers, cpu, environmentVariables, instanceLifecycleConfig } of functions) {
    // What the cap on money reserves for the start of an instance.
    expect(instanceLifecycleConfig).toMatchObject({ initializer: { timeout: longestStartMs / 1_000 } });
    expect([timeout, region]).toEqual([30, "ap-southeast-1"]);
    expect(layers).toEqual(["acs:fc:ap-southeast-1:official:layers/Nodejs20/versions/1"]);
    expect(Number(environmentVariables?.["SPILLWAY_THREADS"])).toBe(Math.max(1, Math.floor(cpu)));
  }
});

it("s.yaml sets the time limit that is the queue's default", () => {
  const { functionTimeout } = daemonOptions.parse({});
  expect(readFileSync(template, "utf8")).toContain(`env('SPILLWAY_FC_TIMEOUT', ${functionTimeout})`);
});

it("s verify fails and names what is wrong: a misspelt key, vCPU between the steps, memory that does not go with it", async () => {
  const file = changed(
    ["memorySize: 1024", "memorySize: 1024\n      instanceConcurency: 2"],
    ["cpu: 1\n", "cpu: 0.07\n"],
    ["cpu: 2\n      memorySize: 4096", "cpu: 16\n      memorySize: 128"],
  );
  const { status, output } = await s(["verify", "-t", file]);
  expect(status).toBe(1);
  const problems = output.split("\n").filter((line) => line.includes("/props"));
  expect(problems.filter((line) => !line.includes("must match"))).toEqual([
    "small/props/instanceConcurency must NOT be valid",
    "medium/props/cpu must be multiple of 0.05",
    "large/props/memorySize must be >= 16384",
  ]);
});

it("an unknown variable is named, and nothing goes on", async () => {
  const { status, output } = await s([
    "preview",
    "-t",
    changed(["${vars.prefix}-large", "${vars.prefx}-large"]),
  ]);
  expect(status).toBe(1);
  expect(output).toContain("${vars.prefx} not found");
});
