/** Real edges, function hosts and queues that are stopped, killed and started again, and a load that says what became of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { executable } from "./built.ts";

/** Milliseconds of the model `timed`: for each call, and for each row of it. */
const timed = { callMs: 20, rowMs: 4 };
const values = 4;

/** Milliseconds around the clock's word on a busy machine. */
const toleranceMs = 60;

/** What happened to one request. */
export interface Ended {
  readonly sentAtMs: number;
  readonly ms: number;
  /** 0: no answer at all. */
  readonly status: number;
  readonly target: string | undefined;
  readonly error: string | undefined;
}

export interface Relay {
  readonly url: string;
  /** What it does with requests from now on; `reset` cuts the connection, `slow` holds each up for a quarter of a second. */
  mode: "forward" | "unavailable" | "hang" | "reset" | "slow";
}

export interface Program {
  readonly url: string;
  /** To the process and all that it has started. */
  signal(name: NodeJS.Signals): void;
}

export class OutageRig {
  readonly #folder = mkdtempSync(join(tmpdir(), "spillway-outages-"));
  readonly #children = new Set<ChildProcess>();
  readonly #servers: Server[] = [];
  readonly models = join(this.#folder, "models");

  constructor() {
    // One whose shape is known can be measured; the other has an open dimension.
    for (const [name, shape] of [
      ["timed", `[-1, ${values}]`],
      ["open", "[-1, -1]"],
    ] as const) {
      mkdirSync(join(this.models, name), { recursive: true });
      writeFileSync(
        join(this.models, name, "handler.js"),
        `export const inputs = [{ name: "x", datatype: "FP32", shape: ${shape} }];
export const outputs = [{ name: "y", datatype: "FP32", shape: ${shape} }];
export async function predict([x]) {
  await new Promise((done) => setTimeout(done, ${timed.callMs} + ${timed.rowMs} * x.shape[0]));
  return [{ ...x, name: "y" }];
}
`,
      );
    }
  }

  async start(command: string, ...flags: string[]): Promise<Program> {
    const child = spawn(process.execPath, [executable, command, "--log-level", "warn", ...flags], {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      detached: true,
    });
    this.#children.add(child);
    const [message] = (await Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => [undefined]),
    ])) as [{ readonly url: string } | undefined];
    if (message === undefined) throw new Error(`${command} ended at its start`);
    return { url: message.url, signal: (name) => signal(child, name) };
  }

  edge(port = 0): Promise<Program> {
    return this.start("edge", "--port", `${port}`, "--models", this.models);
  }

  functions(...flags: string[]): Promise<Program> {
    const all = ["--port", "0", "--models", this.models, "--functions", "small=0.5x1024", ...flags];
    return this.start("function-host", ...all);
  }

  /** Before a server: forwards, or fails in its place. */
  async relay(to: string): Promise<Relay> {
    const held: ServerResponse[] = [];
    const relay: { url: string; mode: Relay["mode"] } = { url: "", mode: "forward" };
    const server = createServer((request, response) => {
      if (relay.mode === "unavailable") {
        request.resume();
        response
          .writeHead(503, { "content-type": "application/json" })
          .end(JSON.stringify({ error: "not now" }));
      } else if (relay.mode === "hang") held.push(response);
      else if (relay.mode === "reset") request.destroy();
      else {
        const { method, url, headers } = request;
        const forward = (): void => {
          const onward = httpRequest(new URL(url ?? "/", to), { method, headers }, (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(response);
          });
          onward.on("error", () => response.destroy());
          request.pipe(onward);
        };
        if (relay.mode === "slow") setTimeout(forward, 250);
        else forward();
      }
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#servers.push(server);
    relay.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    return relay;
  }

  /** End all that was started. */
  async close(): Promise<void> {
    for (const child of this.#children) {
      signal(child, "SIGCONT");
      signal(child, "SIGKILL");
    }
    const running = [...this.#children].filter(({ exitCode, signalCode }) => {
      return exitCode === null && signalCode === null;
    });
    await Promise.all(running.map((child) => once(child, "exit")));
    this.#children.clear();
    for (const server of this.#servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  }

  removeFiles(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // It has ended.
  }
}

/**
 * Sends requests of one row at a steady rate, whatever becomes of them.
 *
 * @param events what to do at which second
 */
export async function steadyLoad(
  url: string,
  { perS, seconds, model = "timed" }: { perS: number; seconds: number; model?: string },
  events: readonly (readonly [atS: number, act: () => unknown])[] = [],
): Promise<Ended[]> {
  const startedAtMs = performance.now();
  const body = JSON.stringify({
    inputs: [
      { name: "x", datatype: "FP32", shape: [1, values], data: Array.from({ length: values }, () => 0.5) },
    ],
  });
  const one = async (sentAtMs: number): Promise<Ended> => {
    const end = (status: number, target?: string, error?: string): Ended => {
      return { sentAtMs, ms: performance.now() - startedAtMs - sentAtMs, status, target, error };
    };
    try {
      const answer = await fetch(`${url}/v2/models/${model}/infer`, { method: "POST", body });
      const text = (await answer.json()) as { parameters?: { spillway_target?: string }; error?: string };
      return end(answer.status, text.parameters?.spillway_target, text.error);
    } catch (error) {
      return end(0, undefined, String(error));
    }
  };
  const timers = events.map(([atS, act]) => setTimeout(() => void act(), 1_000 * atS));
  const ends: Promise<Ended>[] = [];
  for (let dueMs = 0; dueMs < 1_000 * seconds; dueMs += 1_000 / perS) {
    await delay(Math.max(0, dueMs - (performance.now() - startedAtMs)));
    ends.push(one(dueMs));
  }
  const all = await Promise.all(ends);
  for (const timer of timers) clearTimeout(timer);
  return all;
}

export interface Judged {
  /** Of the requests in the spans, those that were answered in time. */
  readonly share: number;
  /** Of the requests in the spans, those that the edge answered. */
  readonly edgeShare: number;
  /** What became of the others, for messages. */
  readonly lost: readonly string[];
}

/** @param spansS seconds of the load in which some target could serve */
export function judge(
  ends: readonly Ended[],
  sloS: number,
  ...spansS: readonly (readonly [from: number, to: number])[]
): Judged {
  const own = ends.filter(({ sentAtMs }) =>
    spansS.some(([fromS, toS]) => sentAtMs >= 1_000 * fromS && sentAtMs < 1_000 * toS),
  );
  const isInTime = ({ status, ms }: Ended): boolean => status === 200 && ms <= 1_000 * sloS + toleranceMs;
  const lost = own.filter((each) => !isInTime(each));
  return {
    share: 1 - lost.length / own.length,
    edgeShare: own.filter(({ target }) => target === "edge").length / own.length,
    lost: lost.map(({ sentAtMs, ms, status, target, error }) => {
      return `at ${Math.round(sentAtMs)}: ${status} ${target ?? error} after ${Math.round(ms)} ms`;
    }),
  };
}
