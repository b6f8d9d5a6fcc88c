/**
 * Does what the Containerfile says without an engine for containers, on a machine where no image can be pulled: a bare
 * Debian and a Node from npm stand in for the image of Node. Then starts edge and queue as the images would be started: as
 * process 1 of a namespace, as the user of the file, on a root that is read-only; asks them, and stops them by SIGTERM.
 *
 *     sudo node deploy/container/try-in-bare-root.mjs [--debian DIR] [--keep]
 *
 * It needs root, Linux, debootstrap, npm and util-linux. `--debian`: a root that debootstrap has made before.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, inRoot, quoted, run } from "./try-stages.mjs";

const { values: flags } = parseArgs({ options: { debian: { type: "string" }, keep: { type: "boolean" } } });
const here = dirname(fileURLToPath(import.meta.url));
const work = mkdtempSync(join(tmpdir(), "spillway-bare-root-"));
/** Longest time that a program may take to end, in milliseconds: what compose.yaml and the units give it. */
const graceMs = 40_000;

const say = (text) => console.log(`${(performance.now() / 1_000).toFixed(1).padStart(6)} s  ${text}`);
function check(what, holds, seen) {
  if (!holds) throw new Error(`${what}: no, ${JSON.stringify(seen)}`);
  say(`${what}: yes`);
}

/** The process that an engine would make process 1, and what it wrote. */
function start(name, stage, network, env) {
  const state = join(work, `${name}-state`);
  // A new volume gets its owner and content from what the image has in its place.
  run("cp", ["-a", join(stage.root, "var/lib/spillway"), state]);
  const root = quoted(stage.root);
  const mounts = [
    `mount --bind ${root} ${root}; mount -o remount,bind,ro ${root};`,
    `mount --bind ${quoted(state)} ${quoted(join(stage.root, "var/lib/spillway"))};`,
    `mount -t tmpfs -o mode=1777,size=256m tmpfs ${quoted(join(stage.root, "tmp"))};`,
  ].join(" ");
  const all = { ...stage, env: { ...stage.env, ...env } };
  const [command, args] = inRoot(stage.root, all, [...stage.entrypoint, ...stage.command], mounts);
  const child = spawn("nsenter", [`--net=/proc/${network.pid}/ns/net`, command, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const program = { name, stage, child, log: "", ended: undefined };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (program.log += bytes));
  child.on("exit", (code, signal) => (program.ended = code ?? signal));
  return program;
}

/** The process 1 of the program's namespace, by its number outside. */
function processOf({ child }) {
  return Number(
    run("pgrep", ["-P", String(child.pid)])
      .trim()
      .split("\n")[0],
  );
}

/** Runs a command in the namespaces and the root of the program, as its user. */
function within(program, command) {
  const pid = processOf(program);
  const [uid, gid] = program.stage.user.split(":");
  return run(
    "nsenter",
    [
      `--target=${pid}`,
      "--mount",
      "--net",
      "--pid",
      `--root=/proc/${pid}/root`,
      `--setuid=${uid}`,
      `--setgid=${gid}`,
      // nsenter leaves the folder where it was, which this root does not have.
      "sh",
      "-c",
      'cd / && exec "$@"',
      "sh",
      ...command,
    ],
    { env: { PATH: "/usr/local/bin:/usr/bin:/bin" } },
  );
}

async function healthy(program, mostMs) {
  const untilMs = performance.now() + mostMs;
  for (;;) {
    if (program.ended !== undefined)
      throw new Error(`${program.name} ended (${program.ended}):\n${program.log}`);
    try {
      within(program, program.stage.healthCheck);
      return;
    } catch (error) {
      if (performance.now() > untilMs)
        throw new Error(`${program.name} is not healthy: ${error.stderr}\n${program.log}`);
      await delay(300);
    }
  }
}

function checkConfinement(program) {
  const { name, stage } = program;
  const status = readFileSync(`/proc/${processOf(program)}/status`, "utf8");
  const field = (key) => new RegExp(`^${key}:\\s*(.*)$`, "m").exec(status)?.[1];
  check(`${name} is process 1 of its namespace`, field("NSpid").endsWith("\t1"), field("NSpid"));
  check(
    `${name} runs as user ${stage.user}`,
    field("Uid").startsWith(stage.user.split(":")[0]),
    field("Uid"),
  );
  check(
    `${name} has no capability and can get none`,
    /^0+$/.test(field("CapEff") + field("CapBnd")) && field("NoNewPrivs") === "1",
    status,
  );
  let refusal = "";
  try {
    within(program, ["touch", "/opt/file"]);
  } catch (error) {
    refusal = error.stderr;
  }
  check(`${name} has a root that is read-only`, refusal.includes("Read-only file system"), refusal);
}

async function stop(program) {
  const { name, stage } = program;
  const sentAtMs = performance.now();
  process.kill(processOf(program), stage.stopSignal);
  while (program.ended === undefined && performance.now() < sentAtMs + graceMs) await delay(20);
  const tookMs = performance.now() - sentAtMs;
  check(
    `${name} ends by ${stage.stopSignal} with 0, in ${(tookMs / 1_000).toFixed(2)} s of ${graceMs / 1_000}`,
    program.ended === 0,
    [program.ended, program.log.slice(-2_000)],
  );
}

const request = JSON.stringify({
  inputs: [{ name: "x", shape: [1, 3, 48, 192], datatype: "FP32", data: Array(3 * 48 * 192).fill(0) }],
});
const infer = (url) => `
  const answer = await fetch(${JSON.stringify(url)}, { method: "POST", body: ${JSON.stringify(request)} });
  if (!answer.ok) throw new Error(answer.status + " " + await answer.text());
  console.log((await answer.json()).outputs[0].shape.join());`;

const running = [];
let network;
try {
  const stages = build(join(here, "Containerfile"), { work, given: flags.debian, say });
  for (const name of ["queue", "edge", "function-host"])
    say(`${name}: ${run("du", ["-sh", join(stages.get(name).root, "app")]).split("\t")[0]} in /app`);
  network = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up && exec sleep 3600"], {
    stdio: "ignore",
  });
  await delay(300);
  const edge = start("edge", stages.get("edge"), network, {});
  running.push(edge);
  await healthy(edge, 120_000);
  const queue = start("queue", stages.get("queue"), network, {
    SPILLWAY_EDGE: "http://127.0.0.1:8000",
    SPILLWAY_SERVERLESS: "false",
  });
  running.push(queue);
  await healthy(queue, 60_000);
  for (const program of [edge, queue]) checkConfinement(program);
  for (const [program, port] of [
    [edge, 8000],
    [queue, 8080],
  ]) {
    const url = `http://127.0.0.1:${port}/v2/models/ocr-cls/infer`;
    const shape = within(program, ["node", "--input-type=module", "-e", infer(url)]).trim();
    check(`${program.name} answers inference`, shape === "1,2", shape);
  }
  await stop(queue);
  await stop(edge);
  const left = readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && existsSync(`/proc/${pid}/root`))
    .filter((pid) => {
      try {
        return run("readlink", [`/proc/${pid}/root`]).startsWith(work);
      } catch {
        return false;
      }
    });
  check("nothing that they started is left", left.length === 0, left);
} catch (error) {
  console.error(error.stderr ? `${error.message}\n${error.stderr}` : error.message);
  process.exitCode = 1;
} finally {
  // By its own number: a process that has changed its user outlives the one that started it.
  for (const program of running) {
    try {
      if (program.ended === undefined) process.kill(processOf(program), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  network?.kill("SIGKILL");
  if (flags.keep) say(`kept: ${work}`);
  else rmSync(work, { recursive: true, force: true });
}
