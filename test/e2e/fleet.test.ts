/** The fleet's commands on real processes: all or none is started, and only what was started is stopped. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { FleetState } from "../../tools/fleet/fleet-state.ts";
import { identityOf, isRunning } from "../../tools/fleet/processes.ts";
import { eventually, executable, isAlive } from "../support/built.ts";
import { freePorts } from "../support/free-ports.ts";

const pids = new Set<number>();
afterEach(() => {
  for (const pid of [...pids].filter(isAlive)) process.kill(pid, "SIGKILL");
  pids.clear();
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a fleet file, in which the commands run. */
class Fleet {
  readonly folder = mkdtempSync(join(tmpdir(), "spillway-fleet-"));

  constructor(text: string) {
    this.write(text);
  }

  write(text: string): void {
    writeFileSync(join(this.folder, "fleet.yaml"), text);
  }

  start(...command: string[]): { child: ChildProcess; ended: Promise<Ended> } {
    const child = spawn(process.execPath, [executable, ...command], { cwd: this.folder });
    pids.add(child.pid as number);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => (stdout += text));
    child.stderr.on("data", (text) => (stderr += text));
    const ended = once(child, "close").then(([status]) => ({ status: status as number, stdout, stderr }));
    return { child, ended };
  }

  up(): Promise<Ended> {
    return this.start("up", "-f", "fleet.yaml").ended;
  }

  down(): Promise<Ended> {
    return this.start("down").ended;
  }

  get statePath(): string {
    return join(this.folder, ".spillway", "fleet.json");
  }

  state(): FleetState {
    const state = JSON.parse(readFileSync(this.statePath, "utf8")) as FleetState;
    for (const { pid } of state.programs) pids.add(pid);
    return state;
  }
}

async function twoHosts(): Promise<Fleet> {
  const [first, second] = await freePorts(2);
  return new Fleet(
    `programs:\n- { command: functions, name: a, options: { port: ${first} } }\n` +
      `- { command: functions, name: b, options: { port: ${second} } }\n`,
  );
}

it("starts, lists and stops an edge, functions and a queue that answers", async () => {
  const [edge, functions, queue] = await freePorts(3);
  const fleet = new Fleet(`programs:
  - command: edge
    options: { port: ${edge}, threads: 1, load: ocr-cls }
  - command: functions
    options: { port: ${functions} }
  - command: vqueue
    options: { port: ${queue}, calibrate: 2, edge: "http://127.0.0.1:${edge}", fcEndpoint: "http://127.0.0.1:${functions}" }
`);
  const up = await fleet.up();
  expect(up.status, up.stderr).toBe(0);
  const { programs, starting } = fleet.state();
  expect(starting).toBe(null);
  const status = await fleet.start("status", "--json").ended;
  expect(status.status).toBe(0);
  expect(JSON.parse(status.stdout)).toMatchObject(
    programs.map(({ pid, url }) => ({ state: "ready", pid, url })),
  );
  expect((await fetch(`http://127.0.0.1:${queue}/v2/models/ocr-cls`)).status).toBe(200);
  const down = await fleet.down();
  expect(down).toMatchObject({ status: 0, stderr: "vqueue stopped\nfunctions stopped\nedge stopped\n" });
  expect(programs.filter(isRunning)).toEqual([]);
  expect(readFileSync(join(fleet.folder, ".spillway", "vqueue.log"), "utf8")).toContain('"stopped"');
}, 60_000);

it("refuses a second up while the first one's programs run, and has nothing to do in a second down", async () => {
  const fleet = await twoHosts();
  expect((await fleet.up()).status).toBe(0);
  const { programs } = fleet.state();
  const again = await fleet.up();
  expect(again.status).toBe(2);
  expect(again.stderr).toMatch(/already running: a \(pid [0-9]+\), b \(pid/);
  expect(fleet.state().programs).toEqual(programs);
  expect((await fleet.down()).stderr).toBe("b stopped\na stopped\n");
  expect(await fleet.down()).toMatchObject({ status: 0, stderr: "nothing was running\n" });
  expect(await fleet.start("status").ended).toMatchObject({ status: 1, stdout: "nothing is running\n" });
});

it("starts anew where the programs of the state have ended, and says so of them until then", async () => {
  const fleet = await twoHosts();
  expect((await fleet.up()).status).toBe(0);
  for (const { pid } of fleet.state().programs) process.kill(pid, "SIGKILL");
  await eventually(() =>
    expect(fleet.state().programs.map(({ pid }) => identityOf(pid))).toEqual([undefined, undefined]),
  );
  const { status, stdout } = await fleet.start("status", "--json").ended;
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject([{ state: "ended" }, { state: "ended", uptimeS: null }]);
  expect((await fleet.up()).status).toBe(0);
  fleet.state();
  expect((await fleet.down()).stderr).toBe("b stopped\na stopped\n");
});

it("leaves a process alone that has the id of a program but started at another moment", async () => {
  const fleet = await twoHosts();
  expect((await fleet.up()).status).toBe(0);
  const state = fleet.state();
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  pids.add(other.pid as number);
  const [a, b] = state.programs;
  const programs = [a, { ...b, pid: other.pid }];
  process.kill(b?.pid as number, "SIGTERM");
  writeFileSync(fleet.statePath, JSON.stringify({ ...state, programs }));
  expect((await fleet.down()).stderr).toBe(
    `b is gone; pid ${other.pid} is another process now and is left alone\na stopped\n`,
  );
  expect(isAlive(other.pid as number)).toBe(true);
});

it("stops what it has started when a program ends at its start, and shows the end of its log", async () => {
  const [first, second] = await freePorts(2);
  const fleet = new Fleet(
    `programs:\n- { command: functions, options: { port: ${first} } }\n` +
      `- { command: edge, options: { port: ${second}, models: ./none } }\n`,
  );
  const { status, stderr } = await fleet.up();
  expect(status).toBe(1);
  expect(stderr).toMatch(/edge ended before it was ready \(exit status 2\).*\n.*none: no such folder/);
  const pid = Number(/functions ready: .*\(pid ([0-9]+)\)/.exec(stderr)?.[1]);
  expect(identityOf(pid)).toBeUndefined();
  expect(existsSync(fleet.statePath)).toBe(false);
});

it("does not take another server on its port for a program of its own", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const fleet = new Fleet(`programs: [{ command: functions, options: { port: ${port} } }]`);
  const { status, stderr } = await fleet.up();
  other.close();
  expect(status).toBe(1);
  expect(stderr).toMatch(/functions cannot listen: .*EADDRINUSE/);
});

/** A fleet whose edge never becomes ready: a pipe into which nobody writes is a model that never ends to load. */
async function slowFleet(): Promise<Fleet> {
  const [first, second] = await freePorts(2);
  const fleet = new Fleet(
    `programs:\n- { command: functions, options: { port: ${first} } }\n` +
      `- { command: edge, options: { port: ${second}, models: models } }\n`,
  );
  mkdirSync(join(fleet.folder, "models", "slow", "1"), { recursive: true });
  execFileSync("mkfifo", [join(fleet.folder, "models", "slow", "1", "model.onnx")]);
  return fleet;
}

it.each(["Ctrl-C", "down"])("stops all again after %s while programs start", async (how) => {
  const fleet = await slowFleet();
  const { child, ended } = fleet.start("up", "--file", "fleet.yaml");
  const programs = await eventually(() => {
    const state = fleet.state();
    expect(state.programs).toHaveLength(2);
    return state.programs;
  });
  const second = await fleet.up();
  expect(second).toMatchObject({ status: 2 });
  expect(second.stderr).toMatch(/another up \(pid [0-9]+\) is starting this fleet/);
  if (how === "Ctrl-C") child.kill("SIGINT");
  else expect((await fleet.down()).stderr).toMatch(/up is still starting programs/);
  const { status, stderr } = await ended;
  expect(status).toBe(130);
  expect(stderr).toMatch(/edge stopped\nfunctions stopped\n/);
  expect(programs.filter(isRunning)).toEqual([]);
  expect(existsSync(fleet.statePath)).toBe(false);
});

it("gives up on a program that is not ready in time", async () => {
  const fleet = await slowFleet();
  const { status, stderr } = await fleet.start("up", "-f", "fleet.yaml", "--wait", "3").ended;
  expect(status).toBe(1);
  // On a busy machine it may be another of them.
  expect(stderr).toMatch(/(edge|functions) is not ready after 3 s; its log is /);
});

it("says that a state is not one of its own, and that there is no fleet file", async () => {
  const fleet = new Fleet("programs: [{ command: edge }]");
  mkdirSync(join(fleet.folder, ".spillway"));
  writeFileSync(fleet.statePath, "{}");
  expect((await fleet.down()).stderr).toMatch(/fleet\.json: format: .*spillway up did not write this/);
  const none = await fleet.start("up", "-f", "none.yaml").ended;
  expect(none).toMatchObject({ status: 2, stderr: "spillway: none.yaml: no such file\n" });
});
