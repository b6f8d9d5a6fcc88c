/**
 * Does what the Containerfile says without an engine for containers, on a machine where no image can be pulled: a bare
 * Debian and a Node from npm stand in for the image of Node. Then starts edge and queue as the images would be started: as
 * process 1 of a namespace, as the user of the file, on a root that is read-only; asks them, and stops them by SIGTERM.
 *
 *     sudo node deploy/container/try-in-bare-root.mjs [--debian DIR] [--keep]
 *
 * It needs root, Linux, debootstrap, npm and util-linux. `--debian`: a root that debootstrap has made before.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({ options: { debian: { type: "string" }, keep: { type: "boolean" } } });
const here = dirname(fileURLToPath(import.meta.url));
const checkout = resolve(here, "../..");
const work = mkdtempSync(join(tmpdir(), "spillway-bare-root-"));
/** Longest time that a program may take to end, in milliseconds: what compose.yaml and the units give it. */
const graceMs = 40_000;

const say = (text) => console.log(`${(performance.now() / 1_000).toFixed(1).padStart(6)} s  ${text}`);
const run = (command, args, options = {}) =>
  execFileSync(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    ...options,
  });

function check(what, holds, seen) {
  if (!holds) throw new Error(`${what}: no, ${JSON.stringify(seen)}`);
  say(`${what}: yes`);
}

/** Instructions as [name, rest], lines that go on joined, comments left out. */
function instructions(file) {
  const text = readFileSync(file, "utf8")
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ");
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .map((line) => [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)]);
}

/** What stands in for the image `node:VERSION-…`: a bare Debian, the program of Node from npm, and npm. */
function imageRoot(image, root) {
  const [, version] = /\/node:([\d.]+)-bookworm-slim$/.exec(image) ?? [];
  if (version === undefined) throw new Error(`FROM ${image}: nothing stands in for it`);
  const debian = flags.debian ?? join(work, "debian");
  if (!existsSync(join(debian, "bin")))
    run("debootstrap", ["--variant=minbase", "--include=ca-certificates", "bookworm", debian]);
  run("cp", ["-a", "--reflink=auto", `${debian}/.`, root]);
  const packed = join(work, "node");
  if (!existsSync(packed)) {
    const arch = process.arch === "arm64" ? "arm64" : "x64";
    run("npm", ["install", "--prefix", packed, "--no-audit", "--no-fund", `node-linux-${arch}@${version}`]);
    run("cp", ["-a", join(packed, `node_modules/node-linux-${arch}/bin/node`), packed]);
  }
  run("cp", [join(packed, "node"), join(root, "usr/local/bin/node")]);
  const npm = join(run("npm", ["root", "--global"]).trim(), "npm");
  cpSync(npm, join(root, "usr/local/lib/node_modules/npm"), { recursive: true, verbatimSymlinks: true });
  for (const name of ["npm", "npx"])
    run("ln", ["-sf", `../lib/node_modules/npm/bin/${name}-cli.js`, join(root, "usr/local/bin", name)]);
  // For the steps alone: names, and who may sign certificates on this machine.
  cpSync("/etc/resolv.conf", join(root, "etc/resolv.conf"), { dereference: true });
  const bundle = "/etc/ssl/certs/ca-certificates.crt";
  if (existsSync(bundle)) cpSync(bundle, join(root, "etc/ssl/certs/ca-certificates.crt"));
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A command in a root, in namespaces of its own, as the given user. */
function inRoot(root, { env, cwd, user = "0:0" }, command, mounts = "") {
  const [uid, gid] = user.split(":");
  const rights =
    uid === "0"
      ? []
      : [
          "setpriv",
          "--reuid",
          uid,
          "--regid",
          gid,
          "--clear-groups",
          "--no-new-privs",
          "--bounding-set=-all",
          "--inh-caps=-all",
        ];
  const inside = [
    "env",
    "-i",
    `PATH=/usr/local/bin:/usr/bin:/bin`,
    ...Object.entries(env).map(([key, value]) => `${key}=${value}`),
  ];
  const words = [...rights, ...inside, "sh", "-c", `cd ${quoted(cwd)} && exec "$@"`, "sh", ...command];
  // Made private, so that no mount is left on the machine.
  const script = `set -e; ${mounts} mount -t proc proc ${quoted(join(root, "proc"))}; exec chroot ${[root, ...words].map(quoted).join(" ")}`;
  return [
    "unshare",
    ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", script],
  ];
}

/** Carries out the stages of the file; returns each by its name. */
function build(file) {
  const stages = new Map();
  let stage;
  for (const [name, rest] of instructions(file)) {
    switch (name) {
      case "FROM": {
        const [from, , as] = rest.split(" ");
        say(`FROM ${rest}`);
        const root = join(work, as);
        mkdirSync(root);
        const base = stages.get(from);
        if (base === undefined) imageRoot(from, root);
        else run("cp", ["-a", "--reflink=auto", `${base.root}/.`, root]);
        stage = { env: {}, cwd: "/", user: "0:0", ...structuredClone(base ?? {}), root };
        stages.set(as, stage);
        break;
      }
      case "WORKDIR":
        stage.cwd = rest;
        mkdirSync(join(stage.root, rest), { recursive: true });
        break;
      case "COPY": {
        const [, from, source, target] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(rest);
        const to = join(stage.root, resolve(stage.cwd, target));
        mkdirSync(to, { recursive: true });
        if (from !== undefined) run("cp", ["-a", `${join(stages.get(from).root, source)}/.`, to]);
        else {
          const ignored = readFileSync(`${file}.dockerignore`, "utf8").split("\n").filter(Boolean);
          const excludes = ignored.map(
            (each) => `--exclude=${each.startsWith("**/") ? each.slice(3) : `./${each}`}`,
          );
          run("sh", [
            "-c",
            `tar -C ${quoted(checkout)} ${excludes.map(quoted).join(" ")} -cf - . | tar -C ${quoted(to)} --no-same-owner -xf -`,
          ]);
        }
        break;
      }
      case "RUN": {
        say(`RUN ${rest.slice(0, 90)}`);
        const env = {
          ...stage.env,
          HOME: "/root",
          NODE_EXTRA_CA_CERTS: "/etc/ssl/certs/ca-certificates.crt",
        };
        const [command, args] = inRoot(stage.root, { ...stage, env }, ["sh", "-c", rest]);
        run(command, args);
        break;
      }
      case "ENV":
        for (const pair of rest.split(" ")) stage.env[pair.split("=")[0]] = pair.slice(pair.indexOf("=") + 1);
        break;
      case "USER":
        stage.user = rest;
        break;
      case "ENTRYPOINT":
        stage.entrypoint = JSON.parse(rest);
        break;
      case "CMD":
        stage.command = JSON.parse(rest);
        break;
      case "HEALTHCHECK":
        stage.healthCheck = JSON.parse(rest.slice(rest.indexOf("CMD ") + 4));
        break;
      case "STOPSIGNAL":
        stage.stopSignal = rest;
        break;
      case "EXPOSE":
        break;
      default:
        throw new Error(`${file}: ${name} is not known here`);
    }
  }
  return stages;
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
      "--wd=/",
      `--setuid=${uid}`,
      `--setgid=${gid}`,
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
  const { name, stage, child } = program;
  const sentAtMs = performance.now();
  process.kill(processOf(program), stage.stopSignal);
  while (program.ended === undefined && performance.now() < sentAtMs + graceMs) await delay(20);
  const tookMs = performance.now() - sentAtMs;
  if (program.ended === undefined) child.kill("SIGKILL");
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
  const stages = build(join(here, "Containerfile"));
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
  for (const { child, ended } of running) if (ended === undefined) child.kill("SIGKILL");
  network?.kill("SIGKILL");
  if (flags.keep) say(`kept: ${work}`);
  else rmSync(work, { recursive: true, force: true });
}
