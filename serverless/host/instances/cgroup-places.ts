/**
 * Where this process may have groups of its own made, read from the kernel's two lists: its groups and the
 * mounts. Pure; whether a place really works is found out by trying.
 */
import { posix } from "node:path";

/** Folders to try, the best first. Version 1 has a tree for each controller, version 2 one for all. */
export interface CgroupPlaces {
  readonly cpuV1: readonly string[];
  readonly memoryV1: readonly string[];
  readonly v2: readonly string[];
}

/**
 * @param groups text of `/proc/self/cgroup`
 * @param mounts text of `/proc/self/mountinfo`
 */
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
    // In a container the path may be one of the host's, which is not there; the mount itself is then ours.
    return distinct([folderOf(mount, path), mount.point]);
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

/** A folder and those above it, up to and with the last. */
function upTo(last: string, folder: string): string[] {
  const folders = [folder];
  for (let at = folder; at !== last && at.startsWith(`${last}/`);) {
    at = posix.dirname(at);
    folders.push(at);
  }
  return folders;
}

function distinct(folders: string[]): string[] {
  return Array.from(new Set(folders));
}
