import { expect, it } from "vitest";
import { isRunning } from "../../../test/support/function-host.ts";
import { Cgroup, cgroupV2, cpuV1, memoryV1 } from "./cgroup.ts";
import { cgroupPlaces, probeCgroups } from "./cgroup-probe.ts";
import { Child } from "./child.ts";

const probed = await probeCgroups();
/** Runs a test where this machine has control groups; elsewhere its name says why not. */
const where = probed.possible ? "" : ` (skipped: ${probed.why})`;

it("finds the places of version 1 by controller, the process's own folder first", () => {
  const groups = "4:memory:/box/1\n1:cpu,cpuacct:/\n0::/\n";
  const mounts = [
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct",
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:3 - cgroup cgroup rw,memory",
  ];
  expect(cgroupPlaces(groups, mounts.join("\n"))).toEqual({
    cpuV1: ["/sys/fs/cgroup/cpu,cpuacct"],
    memoryV1: ["/sys/fs/cgroup/memory/box/1", "/sys/fs/cgroup/memory"],
    v2: [],
  });
});

it("finds the places of version 2 from the process's own folder up to the mount", () => {
  const mount = (root: string): string =>
    `30 23 0:26 ${root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate`;
  const v2 = (group: string, root: string): readonly string[] =>
    cgroupPlaces(`0::${group}\n`, mount(root)).v2;
  expect(v2("/user.slice/session.scope", "/")).toEqual([
    "/sys/fs/cgroup/user.slice/session.scope",
    "/sys/fs/cgroup/user.slice",
    "/sys/fs/cgroup",
  ]);
  expect(v2("/docker/1/app", "/docker/1")).toEqual(["/sys/fs/cgroup/app", "/sys/fs/cgroup"]);
  expect(v2("/", "/docker/1")).toEqual(["/sys/fs/cgroup"]);
});

it("writes a function's size as the kernel wants it", () => {
  const size = { vcpu: 0.35, memoryMib: 192 };
  const text = (kind: typeof cpuV1): string[] =>
    kind.settings(size).map(({ file, value }) => `${file}=${value}`);
  expect(text(cpuV1)).toEqual(["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=35000"]);
  expect(text(memoryV1)[0]).toBe("memory.limit_in_bytes=201326592");
  expect(text(cgroupV2).slice(0, 2)).toEqual(["cpu.max=35000 100000", "memory.max=201326592"]);
});

it("leaves nothing behind when a group cannot be made", () => {
  const trees = [{ kind: cgroupV2, base: "/proc/no-such-folder" }];
  expect(() => new Cgroup(trees, { vcpu: 1, memoryMib: 128 })).toThrow(/ENOENT/);
});

it.skipIf(!probed.possible)(
  `bounds a process and its children, and removes the group with them${where}`,
  async () => {
    if (!probed.possible) return;
    const group = probed.make({ vcpu: 0.5, memoryMib: 96 });
    const lines: string[] = [];
    const child = new Child({
      command: group.entered(["sh", "-c", "cat /proc/self/cgroup; setsid sleep 1000 & echo $!; wait"]),
      env: { PATH: process.env["PATH"] ?? "" },
      onLine: (_, line) => lines.push(line),
    });
    await expect.poll(() => lines.at(-1)).toMatch(/^\d+$/);
    const path =
      lines.flatMap((line) => /^\d+:(?:cpu\b[^:]*|):(.*\/spillway-.*)$/.exec(line)?.[1] ?? [])[0] ?? "";
    expect(path).toMatch(/\/spillway-\d+-[0-9a-f]{12}$/);
    child.kill();
    await child.exited;
    // The grandchild left the process group, but not the control group.
    expect(isRunning(Number(lines.at(-1)))).toBe(true);
    expect(await group.remove()).toBe(true);
    await expect.poll(() => isRunning(Number(lines.at(-1)))).toBe(false);
  },
);
