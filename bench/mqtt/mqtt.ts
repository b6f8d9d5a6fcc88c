/**
 * Measures messages of devices through mosquitto, the daemon and an edge server, each a process of its own: the round
 * trip from publish to result at 1,000 messages a second with a model that does nothing, and ten times what a slow model
 * can take, with the memory of the daemon and its backlog.
 *
 *     node dist/bench/mqtt/mqtt.js [seconds]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const executable = fileURLToPath(new URL("../../cli.js", import.meta.url));
const seconds = Number(process.argv[2] ?? 60);
const folder = mkdtempSync(join(tmpdir(), "spillway-bench-mqtt-"));
chmodSync(folder, 0o755);
const children: ChildProcess[] = [];

interface Measured {
  readonly requests: number;
  readonly answered: number;
  readonly durationS: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  readonly payloadBytes: number;
  readonly twice: number;
  readonly backlog: { readonly mostPreQueue: number; readonly lastPreQueue: number };
}

function putModel(name: string, sleepMs: number): void {
  mkdirSync(join(folder, "models", name), { recursive: true });
  const handler = `
    export const inputs = [{ name: "text", datatype: "BYTES", shape: [-1] }];
    export const outputs = [{ name: "size", datatype: "BYTES", shape: [-1] }];
    export async function preprocess([text], { texts, textTensor }) {
      if (${sleepMs} > 0) await new Promise((done) => setTimeout(done, ${sleepMs}));
      return { inputs: [textTensor("size", texts(text).map((each) => String(each.length)))] };
    }`;
  writeFileSync(join(folder, "models", name, "handler.js"), handler);
}

/** Resolves with the URL of a program of ours. */
async function start(command: string, ...flags: string[]): Promise<string> {
  const child = spawn(
    process.execPath,
    [executable, command, "--port", "0", "--log-level", "warn", ...flags],
    {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    },
  );
  children.push(child);
  const [{ url }] = (await once(child, "message")) as [{ readonly url: string }];
  return url;
}

async function startMosquitto(): Promise<string> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await once(probe.close(), "close");
  const file = join(folder, "mosquitto.conf");
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n`);
  const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` };
  children.push(spawn("mosquitto", ["-c", file], { stdio: "ignore", env }));
  await delay(500);
  return `mqtt://127.0.0.1:${port}`;
}

function rules(broker: string): string {
  const rule = (model: string): string => `
  - name: ${model}
    from: { broker: plant, topic: ${model}/+/telemetry }
    device: topic[1]
    requestId: data.id
    model: ${model}
    inputs: [{ name: text, datatype: BYTES, json: data }]
    publish: { topic: "results/\${device}", payload: { id: "\${id}", size: "\${outputs.size[0]}" } }`;
  return `brokers: [{ name: plant, url: "${broker}" }]\nrules:${rule("noop")}${rule("slow")}\n`;
}

async function load(
  broker: string,
  daemon: string,
  model: string,
  rate: number,
  forS: number,
): Promise<Measured> {
  const payload = '{"id":"${id}","filler":"${filler(990)}"}';
  const where = [
    "--url",
    broker,
    "--queue",
    daemon,
    "--topic",
    `${model}/\${device}/telemetry`,
    "--payload",
    payload,
  ];
  const how = [
    "--rate",
    String(rate),
    "--seconds",
    String(forS),
    "--devices",
    "50",
    "--wait",
    "3600",
    "--json",
  ];
  const child = spawn(process.execPath, [executable, "mqtt", "load", ...where, ...how], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let text = "";
  for await (const part of child.stdout) text += String(part);
  return JSON.parse(text) as Measured;
}

/** Resident memory of a process, in MiB. */
function memoryOf({ pid }: ChildProcess): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return (pages * 4_096) / 2 ** 20;
}

putModel("noop", 0);
putModel("slow", 10);
try {
  const broker = await startMosquitto();
  const edge = await start("edge", "--models", join(folder, "models"));
  writeFileSync(join(folder, "rules.yaml"), rules(broker));
  const queue = ["--edge", edge, "--no-serverless", "--calibrate", "2", "--mqtt", join(folder, "rules.yaml")];
  const daemon = await start("vqueue", ...queue);
  const daemonProcess = children.at(-1) as ChildProcess;
  await delay(2_000);
  const measure = async (what: string, model: string, rate: number, forS: number): Promise<Measured> => {
    const memory: number[] = [];
    const watch = setInterval(() => memory.push(memoryOf(daemonProcess)), 500);
    const result = await load(broker, daemon, model, rate, forS);
    clearInterval(watch);
    const third = Math.ceil(memory.length / 3);
    const mean = (part: readonly number[]): string =>
      (part.reduce((sum, each) => sum + each, 0) / part.length).toFixed(0);
    const { requests, answered, durationS, errors, latencyMs, payloadBytes, twice, backlog } = result;
    const lines = [
      `${what}:`,
      `${answered} of ${requests} messages of ${payloadBytes} bytes answered in ${durationS.toFixed(1)} s, ${twice} twice, errors ${JSON.stringify(errors)}`,
      `round trip p50 ${latencyMs?.p50.toFixed(1)} ms, p99 ${latencyMs?.p99.toFixed(1)} ms, max ${latencyMs?.max.toFixed(0)} ms`,
      `backlog at most ${backlog.mostPreQueue}, at the end ${backlog.lastPreQueue}`,
      `memory of the daemon: ${mean(memory.slice(0, third))} MiB in the first third, ${mean(memory.slice(-third))} in the last, at most ${Math.max(...memory).toFixed(0)}`,
    ];
    console.log(lines.join("\n  "));
    return result;
  };
  await measure(`1,000 a second for ${seconds} s, a model that does nothing`, "noop", 1_000, seconds);
  const alone = await measure("what the slow model takes", "slow", 500, Math.max(2, seconds / 20));
  const rate = Math.round((10 * alone.answered) / alone.durationS);
  await measure(`10 times that, ${rate} a second for ${seconds / 10} s`, "slow", rate, seconds / 10);
  await measure("after that, 200 a second", "noop", 200, Math.max(2, seconds / 10));
} finally {
  for (const child of children.toReversed()) {
    child.kill("SIGTERM");
    await Promise.race([once(child, "close"), delay(5_000)]);
  }
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
