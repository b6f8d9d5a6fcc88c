#!/usr/bin/env node
/**
 * The one executable. It knows the commands and their options. The modules of a command are loaded when it is called,
 * because every module makes the cold start of a function longer.
 */
import { Command, CommanderError } from "commander";
import type { z } from "zod";
import { logOptions } from "./base/program/log.ts";
import { addOptions, readOptions } from "./base/program/options.ts";
import { UsageError } from "./base/usage-error.ts";
import { daemonOptions } from "./client/daemon/options.ts";
import { detectOptions } from "./tools/detect/options.ts";
import { pricesOptions } from "./serverless/prices/prices-options.ts";
import { profileOptions } from "./tools/profile/options.ts";
import { replayOptions } from "./replay/command/replay-options.ts";
import { version } from "./base/program/version.ts";
import { demoOptions } from "./tools/demo/options.ts";
import { edgeOptions } from "./edge/server/options.ts";
import { downOptions, statusOptions, upOptions } from "./tools/fleet/options.ts";
import { loadgenOptions } from "./tools/load/options.ts";
import { functionOptions } from "./serverless/function/options.ts";
import { functionHostOptions } from "./serverless/host/options.ts";

const program = new Command("spillway")
  .description("Batches inference requests and decides for each batch: the edge, or a serverless function.")
  .version(version)
  .exitOverride()
  .showHelpAfterError("(--help lists all options)");

let exitStatus = 0;
addCommand(
  "edge",
  "serve ONNX models over the Open Inference Protocol (V2)",
  edgeOptions.extend(logOptions.shape),
  async (options) => (await import("./cli/edge.ts")).runEdge(options),
);
addCommand(
  "vqueue",
  "the daemon: a V2 server that sends requests in batches to the edge and to functions",
  daemonOptions.extend(logOptions.shape),
  async (options) => (await import("./cli/vqueue.ts")).runVqueue(options),
);
addCommand(
  "function-host",
  "a local function host that behaves as Function Compute does",
  functionHostOptions.extend(logOptions.shape),
  async (options) => (await import("./cli/function-host.ts")).runFunctionHost(options),
  ["functions"],
);
addCommand(
  "function",
  "the function itself: what the platform starts as its custom runtime",
  functionOptions.extend(logOptions.shape),
  async (options) => (await import("./serverless/function/run-function.ts")).runFunction(options),
);
addCommand(
  "demo",
  "edge, functions and queue on this machine, a minute of requests, and a report",
  demoOptions,
  async (options) => (await import("./cli/demo.ts")).runDemo(options),
);
addCommand(
  "up",
  "starts edge servers, functions and queues that a file lists, as processes",
  upOptions,
  async (options) => (await import("./cli/fleet.ts")).runUp(options),
);
addCommand("status", "lists what up has started", statusOptions, async (options) =>
  (await import("./cli/fleet.ts")).runStatus(options),
);
addCommand("down", "stops what up has started, and nothing else", downOptions, async (options) =>
  (await import("./cli/fleet.ts")).runDown(options),
);
addCommand(
  "loadgen",
  "sends a load to any V2 server and tells how it was answered",
  loadgenOptions,
  async (options) => (await import("./cli/loadgen.ts")).runLoadgen(options),
);
addCommand(
  "profile",
  "measures a model on any V2 server by batch size, for the queue and for replays",
  profileOptions,
  async (options) => (await import("./cli/profile.ts")).runProfile(options),
);
addCommand(
  "prices",
  "lists price sheets, or prices functions of given sizes by one of them",
  pricesOptions,
  async (options) => (await import("./cli/prices.ts")).runPrices(options),
);

addCommand(
  "replay",
  "replays a trace under any policy in virtual time, or checks and explains a queue's record",
  replayOptions,
  async (options) => (await import("./cli/replay.ts")).runReplay(options),
);
addCommand("detect", "finds the change points of a series", detectOptions, async (options) =>
  (await import("./cli/detect.ts")).runDetect(options),
);

// Without this, an open channel to a parent would keep the process alive.
process.exit(await run());

/** @param aliases earlier names of the command, which still work and are not listed */
function addCommand<S extends z.ZodObject>(
  name: string,
  description: string,
  schema: S,
  action: (options: z.output<S>) => Promise<number>,
  aliases: readonly string[] = [],
): void {
  for (const each of [name, ...aliases]) {
    const command = program.command(each, { hidden: each !== name }).description(description);
    addOptions(command, schema).action(async () => {
      exitStatus = await action(readOptions(command, schema, process.env) as z.output<S>);
    });
  }
}

/** Exit status: 0 done, 1 a fault of the program, 2 bad usage or bad input. */
async function run(): Promise<number> {
  try {
    await program.parseAsync();
    return exitStatus;
  } catch (error) {
    // Commander has printed its message. It also ends --help and --version this way.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(
      `spillway: ${error instanceof UsageError ? error.message : (error as Error).stack}\n`,
    );
    return error instanceof UsageError ? 2 : 1;
  }
}
