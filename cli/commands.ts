/**
 * The commands: what each is called and does, and where its options and its work are. Both are loaded for the command
 * that is called only, because every module makes the start of a program longer.
 */
import type { z } from "zod";
import type { ConfigFile } from "../base/program/options.ts";
import { keepHeapSmall } from "../base/program/small-heap.ts";

export interface ListedCommand {
  /** One word, or two where the first is that of a group. */
  readonly name: string;
  /** Earlier names, which still work and are not listed. */
  readonly aliases: readonly string[];
  readonly description: string;
  readonly schema: () => Promise<z.ZodObject>;
  /**
   * @param rest for `config`, what followed `--`
   * @returns the exit status
   */
  readonly run: (
    options: object,
    file: ConfigFile<object> | undefined,
    rest: readonly string[],
  ) => Promise<number>;
}

/** Those that have a section in the configuration file. */
export function sectionedCommands(): readonly ListedCommand[] {
  return commands.filter(({ name }) => !["config", "doctor", "completion"].includes(name));
}

export const commands: readonly ListedCommand[] = [
  command(
    "edge",
    "serve ONNX models over the Open Inference Protocol (V2)",
    async () => {
      keepHeapSmall();
      return withLog((await import("../edge/server/options.ts")).edgeOptions);
    },
    async (options) => (await import("./edge.ts")).runEdge(options),
  ),
  command(
    "vqueue",
    "the daemon: a V2 server that sends requests in batches to the edge and to functions",
    async () => {
      keepHeapSmall();
      return withLog((await import("../client/daemon/options.ts")).daemonOptions);
    },
    async (options, file) => (await import("./vqueue.ts")).runVqueue(options, file),
  ),
  command(
    "function-host",
    "a local function host that behaves as Function Compute does",
    async () => withLog((await import("../serverless/host/options.ts")).functionHostOptions),
    async (options) => (await import("./function-host.ts")).runFunctionHost(options),
    ["functions"],
  ),
  command(
    "function",
    "the function itself: what the platform starts as its custom runtime",
    async () => withLog((await import("../serverless/function/options.ts")).functionOptions),
    async (options) => (await import("../serverless/function/run-function.ts")).runFunction(options),
  ),
  command(
    "demo",
    "edge, functions and queue on this machine, a minute of requests, and a report",
    async () => (await import("../tools/demo/options.ts")).demoOptions,
    async (options) => (await import("./demo.ts")).runDemo(options),
  ),
  command(
    "add",
    "puts a model into a repository: looks at it, tries it, writes its settings, and prints how to call it",
    async () => withLog((await import("../edge/add/add-options.ts")).addModelOptions),
    async (options) => (await import("./add.ts")).runAdd(options),
  ),
  command(
    "up",
    "starts edge servers, functions and queues that a file lists, as processes",
    async () => (await import("../tools/fleet/options.ts")).upOptions,
    async (options) => (await import("./fleet.ts")).runUp(options),
  ),
  command(
    "status",
    "lists what up has started",
    async () => (await import("../tools/fleet/options.ts")).statusOptions,
    async (options) => (await import("./fleet.ts")).runStatus(options),
  ),
  command(
    "down",
    "stops what up has started, and nothing else",
    async () => (await import("../tools/fleet/options.ts")).downOptions,
    async (options) => (await import("./fleet.ts")).runDown(options),
  ),
  command(
    "api-key",
    "makes an API key for the edge server or the daemon, and the line by which they know it",
    async () => (await import("../base/access/key-options.ts")).apiKeyOptions,
    async (options) => (await import("./api-key.ts")).runApiKey(options),
  ),
  command(
    "loadgen",
    "sends a load to any V2 server and tells how it was answered",
    async () => (await import("../tools/load/options.ts")).loadgenOptions,
    async (options) => (await import("./loadgen.ts")).runLoadgen(options),
  ),
  command(
    "profile",
    "measures a model on any V2 server by batch size, for the queue and for replays",
    async () => (await import("../tools/profile/options.ts")).profileOptions,
    async (options) => (await import("./profile.ts")).runProfile(options),
  ),
  command(
    "infer",
    "sends a file of rows or a folder of pictures in bulk, and writes the results in order",
    async () => (await import("../tools/infer/options.ts")).inferOptions,
    async (options) => (await import("./infer.ts")).runInferCommand(options),
  ),
  command(
    "prices",
    "lists price sheets, or prices functions of given sizes by one of them",
    async () => (await import("../serverless/prices/prices-options.ts")).pricesOptions,
    async (options) => (await import("./prices.ts")).runPrices(options),
  ),
  command(
    "replay",
    "replays a trace under any policy in virtual time, or checks and explains a queue's record",
    async () => (await import("../replay/command/replay-options.ts")).replayOptions,
    async (options) => (await import("./replay.ts")).runReplay(options),
  ),
  command(
    "what-if",
    "tells what a record would have come to under another SLO, price sheet, policy, number of edges or functions",
    async () => (await import("../replay/what-if/what-if-options.ts")).whatIfOptions,
    async (options) => (await import("../replay/what-if/run-what-if.ts")).runWhatIf(options),
  ),
  command(
    "config",
    "checks the configuration file of all programs, prints its schema, or shows what holds",
    async () => (await import("./config/config-options.ts")).configOptions,
    async (options, _, rest) =>
      (await import("./config/run-config.ts")).runConfig(options, sectionedCommands(), rest),
  ),
  command(
    "doctor",
    "tells what an issue report needs: versions, the runtime of models, the machine, and who can be reached",
    async () => (await import("./doctor/doctor-options.ts")).doctorOptions,
    async (options) => (await import("./doctor/run-doctor.ts")).runDoctor(options, sectionedCommands()),
  ),
  command(
    "completion",
    "prints the script that makes bash, zsh or fish complete commands and options",
    async () => (await import("./shells/completion-options.ts")).completionOptions,
    async (options) => (await import("./shells/run-completion.ts")).runCompletion(options, commands),
  ),
  command(
    "detect",
    "finds the change points of a series",
    async () => (await import("../tools/detect/options.ts")).detectOptions,
    async (options) => (await import("./detect.ts")).runDetect(options),
  ),
  command(
    "mqtt check",
    "checks a file of MQTT rules, and says what each rule would do with a sample message",
    async () => (await import("../client/daemon/ingress/mqtt/rules/check/check-options.ts")).mqttCheckOptions,
    async (options) => (await import("./mqtt-check.ts")).runMqttCheck(options),
  ),
  command(
    "mqtt convert",
    "makes a rule file of one in the older form of plants, and says what it could not carry over",
    async () =>
      (await import("../client/daemon/ingress/mqtt/rules/convert/convert-options.ts")).mqttConvertOptions,
    async (options) => (await import("./mqtt-convert.ts")).runMqttConvert(options),
  ),
  command(
    "mqtt load",
    "makes devices that send messages to a broker, and measures how long their results take",
    async () => (await import("../tools/mqtt/options.ts")).mqttLoadOptions,
    async (options) => (await import("./mqtt-load.ts")).runMqttLoad(options),
  ),
];

function command<S extends z.ZodObject>(
  name: string,
  description: string,
  schema: () => Promise<S>,
  run: (
    options: z.output<S>,
    file: ConfigFile<z.output<S>> | undefined,
    rest: readonly string[],
  ) => Promise<number>,
  aliases: readonly string[] = [],
): ListedCommand {
  return {
    name,
    aliases,
    description,
    schema,
    run: (options, file, rest) =>
      run(options as z.output<S>, file as ConfigFile<z.output<S>> | undefined, rest),
  };
}

async function withLog<S extends z.ZodRawShape>(schema: z.ZodObject<S>) {
  return schema.extend((await import("../base/program/log-options.ts")).logOptions.shape);
}
