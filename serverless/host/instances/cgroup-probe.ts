/** Finds out whether this machine lets us bound processes by control groups: tries each place with a process. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Logger } from "pino";
import { UsageError } from "../../../base/usage-error.ts";
import {
  Cgroup,
  cgroupV2,
  cpuV1,
  makerOf,
  memoryV1,
  removeFolder,
  type CgroupSize,
  type CgroupTree,
} from "./cgroup.ts";
import { Child } from "./child.ts";

/** Makes a group for a process. */
export type MakeCgroup = (size: CgroupSize) => Cgroup;

export type CgroupProbe =
  | { readonly possible: true; readonly make: MakeCgroup; readonly where: string }
  | { readonly possible: false; readonly why: string };

/** Folders to try, the best first. Version 1 has a tree for each controller, version 2 one for all. */
export interface CgroupPlaces {
  readonly cpuV1: readonly string[];
  readonly memoryV1: readonly string[];
  readonly v2: readonly string[];
}

const trialSize: CgroupSize = { vcpu: 0.5, memoryMib: 64 };

/** @throws UsageError when the mode is "on" and control groups cannot be used */
export async function chosenCgroups(
  mode: "auto" | "on" | "off",
  log: Pick<Logger, "info" | "warn">,
): Promise<MakeCgroup | undefined> {
  if (mode === "off") return undefined;
  const probe = await probeCgroups();
  if (probe.possible) {
    log.info({ where: probe.where }, "control groups bound the vCPU and memory of instances");
    return probe.make;
  }
  if (mode === "on") throw new UsageError(`--cgroups is "on"; allowed here: auto, off (${probe.why})`);
  log.warn(`the vCPU and memory of instances are not bounded: ${probe.why}`);
  return undefined;
}

/** Try each place with a process. Groups that a killed host left behind are removed. */
export async function probeCgroups(): Promise<CgroupProbe> {
  let places: CgroupPlaces;
  try {
    const [groups, mounts] = ["cgroup", "mountinfo"].map((file) =>
      readFileSync(`/proc/self/${file}`, "utf8"),
    );
    places = cgroupPlaces(groups ?? "", mounts ?? "");
  } catch {
    return { possible: false, why: "this system has no control groups" };
  }
  const candidates: CgroupTree[][] = places.v2.map((base) => [{ kind: cgroupV2, base }]);
  for (const cpu of places.cpuV1) {
    for (const memory of places.memoryV1) {
      candidates.push([
        { kind: cpuV1, base: cpu },
        { kind: memoryV1, base: memory },
      ]);
    }
  }
  const problems: string[] = [];
  for (const trees of candidates) {
    const problem = await problemWith(trees);
    if (problem === undefined) return usable(trees);
    problems.push(problem);
  }
  return { possible: false, why: problems.join("; ") || "no tree of control groups is mounted" };
}

/** Where this process may have groups made, by the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`. */
export function cgroupPlaces(groups: string, mounts: string): CgroupPlaces {
  const own = groups.split("\n").map((line) => /^\d+:([^:]*):(.*)$/.exec(line)?.slice(1) ?? []);
  const mounted = mounts.split("\n").map((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "/", point = ""] = before.split(" ");
    const [kind, , options = ""] = after.split(" ");
    return { root, point, kind, options: options.split(",") };
  });
  const v1 = (controller: string): string[] => {
    const mount = mounted.find(({ kind, options }) => kind === "cgroup" && options.includes(controller));
    const path = own.find(([controllers]) => controllers?.split(",").includes(controller))?.[1];
    if (mount === undefined || path === undefined) return [];
    // In a container the path may be the host's and not exist here; then the mount itself is ours.
    return [...new Set([folderOf(mount, path), mount.point])];
  };
  const mount = mounted.find(({ kind }) => kind === "cgroup2");
  const path = own.find(([controllers]) => controllers === "")?.[1];
  const v2 = mount === undefined || path === undefined ? [] : upTo(mount.point, folderOf(mount, path));
  return { cpuV1: v1("cpu"), memoryV1: v1("memory"), v2 };
}

function folderOf(mount: { root: string; point: string }, path: string): string {
  const within = posix.relative(mount.root, path);
  return within.startsWith("..") ? mount.point : posix.join(mount.point, within);
}

/** A folder and those above it, up to and including `last`. */
function upTo(last: string, folder: string): string[] {
  const folders = [folder];
  for (let at = folder; at !== last && at.startsWith(`${last}/`);) {
    at = posix.dirname(at);
    folders.push(at);
  }
  return folders;
}

function usable(trees: readonly CgroupTree[]): CgroupProbe {
  for (const { base } of trees) removeAbandoned(base);
  const where = trees.map(({ base }) => base).join(" and ");
  return { possible: true, make: (size) => new Cgroup(trees, size), where };
}

/** Why a process cannot be bounded in these trees; undefined when it can. */
async function problemWith(trees: readonly CgroupTree[]): Promise<string | undefined> {
  let group: Cgroup | undefined;
  try {
    for (const { kind, base } of trees) if (kind === cgroupV2) enableControllers(base);
    group = new Cgroup(trees, trialSize);
    const lines: string[] = [];
    const child = new Child({
      command: group.entered(["true"]),
      env: { PATH: process.env["PATH"] ?? "" },
      onLine: (_, line) => lines.push(line),
    });
    const exit = await child.exited;
    return exit === "code 0" ? undefined : `a process cannot be moved (${exit}) ${lines.join(" ")}`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await group?.remove();
  }
}

/** In version 2 a group's children have only the controllers that it passes on. @throws Error when it cannot */
function enableControllers(base: string): void {
  const has = (file: string): boolean => {
    const names = readFileSync(join(base, file), "utf8").trim().split(" ");
    return ["cpu", "memory"].every((controller) => names.includes(controller));
  };
  if (!has("cgroup.controllers")) throw new Error(`${base} does not have the controllers cpu and memory`);
  if (!has("cgroup.subtree_control")) writeFileSync(join(base, "cgroup.subtree_control"), "+cpu +memory");
}

function removeAbandoned(base: string): void {
  for (const name of readdirSync(base)) {
    const maker = makerOf(name);
    if (maker !== undefined && !isRunning(maker)) removeFolder(join(base, name));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
