/** Finds out whether this machine lets us bound processes by control groups, by doing it once. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
import { cgroupPlaces } from "./cgroup-places.ts";
import { Child } from "./child.ts";

/** Makes a group for a process. */
export type MakeCgroup = (size: CgroupSize) => Cgroup;

export type Probed =
  | { readonly possible: true; readonly make: MakeCgroup; readonly where: string }
  | { readonly possible: false; readonly why: string };

const SMALL: CgroupSize = { vcpu: 0.5, memoryMib: 64 };

/** Try each place with a process of its own. Groups that a host left behind when it was killed are removed. */
export async function probeCgroups(): Promise<Probed> {
  let places;
  try {
    const [groups, mounts] = ["cgroup", "mountinfo"].map((file) =>
      readFileSync(`/proc/self/${file}`, "utf8"),
    );
    places = cgroupPlaces(groups ?? "", mounts ?? "");
  } catch {
    return { possible: false, why: "this system has no control groups" };
  }
  const whyNot: string[] = [];
  const works = async (trees: readonly CgroupTree[]): Promise<boolean> => {
    const problem = await problemWith(trees);
    if (problem !== undefined) whyNot.push(problem);
    return problem === undefined;
  };
  for (const base of places.v2) {
    const lacking = enableControllers(base);
    const trees = [{ kind: cgroupV2, base }];
    if (lacking !== undefined) whyNot.push(lacking);
    else if (await works(trees)) return usable(trees);
  }
  for (const cpu of places.cpuV1) {
    for (const memory of places.memoryV1) {
      const trees = [
        { kind: cpuV1, base: cpu },
        { kind: memoryV1, base: memory },
      ];
      if (await works(trees)) return usable(trees);
    }
  }
  return { possible: false, why: whyNot.join("; ") || "no tree of control groups is mounted" };
}

function usable(trees: readonly CgroupTree[]): Probed {
  for (const { base } of trees) sweep(base);
  const where = trees.map(({ base }) => base).join(" and ");
  return { possible: true, make: (size) => new Cgroup(trees, size), where };
}

/** Why a process cannot be bound in these trees; undefined when it can. */
async function problemWith(trees: readonly CgroupTree[]): Promise<string | undefined> {
  let group: Cgroup | undefined;
  try {
    group = new Cgroup(trees, SMALL);
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

/** In version 2 a group's children have the controllers that it passes on. Why not; undefined when it does. */
function enableControllers(base: string): string | undefined {
  try {
    const has = (file: string): boolean => {
      const names = readFileSync(join(base, file), "utf8").trim().split(" ");
      return ["cpu", "memory"].every((controller) => names.includes(controller));
    };
    if (!has("cgroup.controllers")) return `${base} does not have the controllers cpu and memory`;
    if (!has("cgroup.subtree_control")) writeFileSync(join(base, "cgroup.subtree_control"), "+cpu +memory");
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function sweep(base: string): void {
  for (const name of readdirSync(base)) {
    const maker = makerOf(name);
    if (maker !== undefined && !isThere(maker)) removeFolder(join(base, name));
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
