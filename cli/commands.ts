/**
 * The commands and their options. The modules of a command are loaded when it is called, because every module makes the
 * cold start of a function longer.
 */
import type { z } from "zod";
import { logOptions } from "../base/program/log.ts";
import { daemonOptions } from "../client/daemon/options.ts";
import { detectOptions } from "../tools/detect/options.ts";
import { pricesOptions } from "../serverless/prices/prices-options.ts";
import { profileOptions } from "../tools/profile/options.ts";
import { replayOptions } from "../replay/command/replay-options.ts";
import { demoOptions } from "../tools/demo/options.ts";
import { edgeOptions } from "../edge/server/options.ts";
import { downOptions, statusOptions, upOptions } from "../tools/fleet/options.ts";
import { loadgenOptions } from "../tools/load/options.ts";
import { functionOptions } from "../serverless/function/options.ts";
import { functionHostOptions } from "../serverless/host/options.ts";

export interface ListedCommand {
  readonly name: string;
  /** Earlier names, which still work and are not listed. */
  readonly aliases: readonly string[];
  readonly description: string;
  readonly schema: z.ZodObject;
  /** @returns the exit status */
  readonly run: (options: object) => Promise<number>;
}

export const commands: readonly ListedCommand[] = [
  command(
    "edge",
    "serve ONNX models over the Open Inference Protocol (V2)",
    edgeOptions.extend(logOptions.shape),
    async (options) => (await import("./edge.ts")).runEdge(options),
  ),
  command(
    "vqueue",
    "the daemon: a V2 server that sends requests in batches to the edge and to functions",
    daemonOptions.extend(logOptions.shape),
    async (options) => (await import("./vqueue.ts")).runVqueue(options),
  ),
  command(
    "function-host",
    "a local function host that behaves as Function Compute does",
    functionHostOptions.extend(logOptions.shape),
    async (options) => (await import("./function-host.ts")).runFunctionHost(options),
    ["functions"],
  ),
  command(
    "function",
    "the function itself: what the platform starts as its custom runtime",
    functionOptions.extend(logOptions.shape),
    async (options) => (await import("../serverless/function/run-function.ts")).runFunction(options),
  ),
  command(
    "demo",
    "edge, functions and queue on this machine, a minute of requests, and a report",
    demoOptions,
    async (options) => (await import("./demo.ts")).runDemo(options),
  ),
  command(
    "up",
    "starts edge servers, functions and queues that a file lists, as processes",
    upOptions,
    async (options) => (await import("./fleet.ts")).runUp(options),
  ),
  command("status", "lists what up has started", statusOptions, async (options) =>
    (await import("./fleet.ts")).runStatus(options),
  ),
  command("down", "stops what up has started, and nothing else", downOptions, async (options) =>
    (await import("./fleet.ts")).runDown(options),
  ),
  command(
    "loadgen",
    "sends a load to any V2 server and tells how it was answered",
    loadgenOptions,
    async (options) => (await import("./loadgen.ts")).runLoadgen(options),
  ),
  command(
    "profile",
    "measures a model on any V2 server by batch size, for the queue and for replays",
    profileOptions,
    async (options) => (await import("./profile.ts")).runProfile(options),
  ),
  command(
    "prices",
    "lists price sheets, or prices functions of given sizes by one of them",
    pricesOptions,
    async (options) => (await import("./prices.ts")).runPrices(options),
  ),
  command(
    "replay",
    "replays a trace under any policy in virtual time, or checks and explains a queue's record",
    replayOptions,
    async (options) => (await import("./replay.ts")).runReplay(options),
  ),
  command("detect", "finds the change points of a series", detectOptions, async (options) =>
    (await import("./detect.ts")).runDetect(options),
  ),
];

function command<S extends z.ZodObject>(
  name: string,
  description: string,
  schema: S,
  run: (options: z.output<S>) => Promise<number>,
  aliases: readonly string[] = [],
): ListedCommand {
  return { name, aliases, description, schema, run: (options) => run(options as z.output<S>) };
}
