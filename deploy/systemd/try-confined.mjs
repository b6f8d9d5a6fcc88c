/**
 * Starts the program of a unit under the unit's own restrictions where systemd is not process 1: each by the means of the
 * kernel that systemd uses for it, by setpriv, mounts, namespaces and a filter of system calls. Asks it, stops it by
 * SIGTERM, and says which lines of the unit were applied and which were not.
 *
 *     sudo node deploy/systemd/try-confined.mjs deploy/systemd/spillway-edge.service [NAME=VALUE...]
 *
 * It needs root, Linux, util-linux, systemd-analyze, and for the filter Python with libseccomp (python3-seccomp). Where
 * systemd is process 1, install the units instead. NAME=VALUE: the environment, such as SPILLWAY_PORT=23456.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const [unit, ...given] = process.argv.slice(2);
const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const work = mkdtempSync(join(tmpdir(), "spillway-confined-"));
/** A user that no one has, as DynamicUser takes them. */
const user = "61234";

const settings = readFileSync(unit, "utf8")
  .split("\n")
  .map((line) => /^([A-Z]\w+)=(.*)$/.exec(line))
  .filter(Boolean)
  .map(([, key, value]) => [key, value]);
const valueOf = (key) => settings.find(([name]) => name === key)?.[1];
const read = (command, ...args) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

const hasSeccomp = (() => {
  try {
    read("/usr/bin/python3", "-c", "import seccomp");
    return true;
  } catch {
    return false;
  }
})();

/** Commands of the shell, in the mount namespace of the program, in the order in which they are to be run. */
const steps = [
  // Where the unit expects what npm has installed.
  // What is made in these two is gone with the namespace.
  [
    "",
    `mount -t tmpfs tmpfs /mnt; for at in /etc /var/lib; do mkdir -p /mnt$at/up /mnt$at/work; mount -t overlay overlay -o lowerdir=$at,upperdir=/mnt$at/up,workdir=/mnt$at/work $at; done`,
  ],
  [
    "",
    `mount -t tmpfs tmpfs /opt; mkdir -p /opt/spillway/node_modules; ln -s ${quoted(checkout)} /opt/spillway/node_modules/spillway`,
  ],
  ["ConfigurationDirectory", (name) => `mkdir -p /etc/${name}`],
  [
    "StateDirectory",
    (name) =>
      `mkdir -p ${quoted(join(work, name))} && mkdir -p /var/lib/${name} && mount --bind ${quoted(join(work, name))} /var/lib/${name} && chown ${user}:${user} /var/lib/${name}`,
  ],
  ["StateDirectoryMode", (mode) => `chmod ${mode} /var/lib/${valueOf("StateDirectory")}`],
  [
    "ProtectHome",
    () => "for at in /home /root /run/user; do [ ! -d $at ] || mount -t tmpfs -o ro,mode=000 tmpfs $at; done",
  ],
  ["PrivateTmp", () => "mount -t tmpfs -o mode=1777 tmpfs /tmp; mount -t tmpfs -o mode=1777 tmpfs /var/tmp"],
  [
    "PrivateDevices",
    () =>
      "d=$(mktemp -d); mount -t tmpfs -o mode=755 tmpfs $d; for n in null zero full random urandom tty; do touch $d/$n; mount --bind /dev/$n $d/$n; done; mkdir $d/shm; mount -t tmpfs -o mode=1777 tmpfs $d/shm; mount --move $d /dev",
  ],
  [
    "ProtectSystem",
    () =>
      `for at in $(findmnt -rno TARGET | grep -vE '^/(proc|sys|dev|tmp|var/tmp)(/|$)' | grep -v '^/var/lib/${valueOf("StateDirectory")}$'); do mount -o remount,bind,ro "$at" 2>/dev/null || true; done`,
  ],
  ["ProtectProc", () => "mount -t proc -o hidepid=invisible proc /proc"],
  [
    "ProtectKernelTunables",
    () =>
      "for at in /proc/sys /proc/sysrq-trigger /sys; do [ ! -e $at ] || { mount --bind $at $at; mount -o remount,bind,ro $at; }; done",
  ],
  [
    "ProtectControlGroups",
    () =>
      "[ ! -d /sys/fs/cgroup ] || mount -o remount,bind,ro /sys/fs/cgroup 2>/dev/null || mount --bind -o ro /sys/fs/cgroup /sys/fs/cgroup",
  ],
  ["UMask", (mask) => `umask ${mask}`],
];
/** What setpriv, the namespaces and the filter of system calls do. */
const byPrivileges = ["DynamicUser", "NoNewPrivileges", "CapabilityBoundingSet", "AmbientCapabilities"];
const byNamespaces = ["ProtectHostname", "WorkingDirectory", "ExecStart", "Environment"];
const byFilter = [
  "SystemCallFilter",
  "SystemCallArchitectures",
  "SystemCallErrorNumber",
  "RestrictAddressFamilies",
  "RestrictNamespaces",
  "RestrictRealtime",
  "RestrictSUIDSGID",
  "LockPersonality",
  "ProtectClock",
  "ProtectKernelModules",
  "ProtectKernelLogs",
];

/** Loads the filter, then becomes the program. Calls that the unit's set does not have fail with EPERM. */
function filterScript() {
  const set = valueOf("SystemCallFilter");
  const calls = new Set();
  const add = (name) => {
    for (const line of read("systemd-analyze", "syscall-filter", name).split("\n").slice(1)) {
      const call = line.trim();
      if (call.startsWith("@")) add(call);
      else if (call !== "" && !call.startsWith("#")) calls.add(call);
    }
  };
  add(set);
  const families = valueOf("RestrictAddressFamilies").split(" ");
  return `
import errno, os, socket, sys, seccomp as s
f = s.SyscallFilter(s.ERRNO(errno.EPERM))
for call in ${JSON.stringify([...calls].filter((call) => !["socket", "personality", "unshare", "setns", "clone", "sched_setscheduler", "chmod", "fchmod", "fchmodat"].includes(call)))}:
    try: f.add_rule(s.ALLOW, call)
    except Exception: pass
for family in ${JSON.stringify(families)}: f.add_rule(s.ALLOW, "socket", s.Arg(0, s.EQ, getattr(socket, family)))
f.add_rule(s.ALLOW, "personality", s.Arg(0, s.EQ, 0xffffffff))
f.add_rule(s.ALLOW, "clone", s.Arg(0, s.MASKED_EQ, 0x7e020000, 0))
f.add_rule(s.ALLOW, "sched_setscheduler", s.Arg(1, s.EQ, 0))
f.add_rule(s.ALLOW, "chmod", s.Arg(1, s.MASKED_EQ, 0o6000, 0))
f.add_rule(s.ALLOW, "fchmod", s.Arg(1, s.MASKED_EQ, 0o6000, 0))
f.add_rule(s.ALLOW, "fchmodat", s.Arg(2, s.MASKED_EQ, 0o6000, 0))
f.load()
os.execvp(sys.argv[1], sys.argv[1:])
`;
}

const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
  STATE_DIRECTORY: `/var/lib/${valueOf("StateDirectory")}`,
  ...Object.fromEntries(
    settings.filter(([key]) => key === "Environment").map(([, text]) => text.split(/=(.*)/s).slice(0, 2)),
  ),
  ...Object.fromEntries(given.map((text) => text.split(/=(.*)/s).slice(0, 2))),
};
const applied = [
  ...steps.map(([key]) => key).filter((key) => key !== "" && valueOf(key) !== undefined),
  ...byPrivileges,
  ...byNamespaces,
  ...(hasSeccomp ? byFilter : []),
];
const shell = steps
  .map(([key, step]) => (key === "" ? step : valueOf(key) === undefined ? "" : step(valueOf(key))))
  .filter(Boolean);
const filter = join(work, "filter.py");
if (hasSeccomp) writeFileSync(filter, filterScript());
const rights = [
  "setpriv",
  "--reuid",
  user,
  "--regid",
  user,
  "--clear-groups",
  "--no-new-privs",
  "--bounding-set=-all",
  "--inh-caps=-all",
  "--ambient-caps=-all",
];
const inside = [
  ...rights,
  "env",
  "-i",
  ...Object.entries(environment).map(([key, value]) => `${key}=${value}`),
  ...(hasSeccomp ? ["/usr/bin/python3", "/proc/self/fd/3"] : []),
  ...valueOf("ExecStart").split(" "),
];
const script = `set -e; ${hasSeccomp ? `exec 3< ${quoted(filter)}; ` : ""}${shell.join("; ")}; cd ${valueOf("WorkingDirectory")}; exec ${inside.map(quoted).join(" ")}`;

const child = spawn(
  "unshare",
  ["--mount", "--propagation", "private", "--pid", "--uts", "--fork", "--kill-child", "sh", "-c", script],
  { stdio: ["ignore", "pipe", "pipe"] },
);
let log = "";
let ended;
for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (log += bytes));
child.on("exit", (code, signal) => (ended = code ?? signal));

try {
  const untilMs = performance.now() + 120_000;
  let url;
  let answer;
  while (answer === undefined && ended === undefined && performance.now() < untilMs) {
    await delay(200);
    url ??= /"url":"([^"]+)"/.exec(log)?.[1];
    if (url === undefined) continue;
    // A queue without an edge lives, and is not ready.
    const path = unit.includes("function-host")
      ? "/admin/status"
      : unit.includes("queue")
        ? "/v2/health/live"
        : "/v2/health/ready";
    const { status } = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(5_000) }).catch(() => ({
      status: 0,
    }));
    if (status === 200) answer = `${path} answers 200`;
  }
  if (answer === undefined) throw new Error(`it did not answer (${ended ?? "it runs"}):\n${log}`);
  const pid = read("pgrep", "-P", String(child.pid)).trim();
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  for (const [key, wanted] of Object.entries({
    Uid: new RegExp(`^${user}\t`),
    CapEff: /^0+$/,
    CapBnd: /^0+$/,
    NoNewPrivs: /^1$/,
    ...(hasSeccomp && { Seccomp: /^2$/ }),
  })) {
    const value = new RegExp(`^${key}:\\s*(.*)$`, "m").exec(status)?.[1];
    if (!wanted.test(value)) throw new Error(`${key} is ${value}`);
  }
  console.log(
    `${unit}: ${answer}, as user ${user}, without capabilities${hasSeccomp ? ", with a filter of system calls" : ""}`,
  );
  const sentAtMs = performance.now();
  process.kill(Number(pid), "SIGTERM");
  const mostMs = Number(valueOf("TimeoutStopSec")) * 1_000;
  while (ended === undefined && performance.now() < sentAtMs + mostMs) await delay(20);
  if (ended !== 0) throw new Error(`SIGTERM ended it with ${ended}:\n${log.slice(-2_000)}`);
  console.log(
    `SIGTERM ended it with 0 after ${((performance.now() - sentAtMs) / 1_000).toFixed(2)} s of ${mostMs / 1_000}`,
  );
  console.log(`applied: ${applied.join(", ")}`);
  const isOfManager =
    /^(Description|Documentation|Wants|After|WantedBy|Type|Restart|StartLimit|Kill|Timeout|EnvironmentFile|ConfigurationDirectoryMode)/;
  const rest = settings.map(([key]) => key).filter((key) => !applied.includes(key) && !isOfManager.test(key));
  console.log(`not applied: ${[...new Set(rest)].join(", ") || "none"}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  // By its own number: a process that has changed its user outlives the one that started it.
  try {
    if (ended === undefined) process.kill(Number(read("pgrep", "-P", String(child.pid)).trim()), "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
  rmSync(work, { recursive: true, force: true });
}
