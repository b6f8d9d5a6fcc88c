/** What `doctor` tells of this machine and of Node. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism, cpus, freemem, release, tmpdir, totalmem } from "node:os";
import { defaultStateFolder } from "../../base/access/state-folder.ts";
import { version } from "../../base/program/version.ts";
import { fact, fault, type Finding } from "./finding.ts";

const bytesPerMib = 2 ** 20;
/** The oldest Node that the package runs on: `engines` of package.json. */
const oldestNode = [20, 19] as const;

const mib = (bytes: number): string => `${Math.round(bytes / bytesPerMib).toLocaleString("en-US")} MiB`;

export function programFindings(): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isOld = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  const node = `${process.version} (${process.execPath})`;
  const set = Object.keys(process.env).filter((name) => name.startsWith("SPILLWAY_"));
  return [
    fact("spillway", version),
    isOld ? fault("node", `${node}; allowed: ${oldestNode.join(".")} or later`) : fact("node", node),
    // Names alone, because a value may be a secret.
    fact("environment", set.length === 0 ? "no SPILLWAY_… variables" : `has ${set.sort().join(", ")}`),
  ];
}

export function machineFindings(env: Readonly<Record<string, string | undefined>>): Finding[] {
  const cores = availableParallelism();
  const all = cpus();
  // Where control groups set no limit, Node tells a number beyond all memory, or 0.
  const limit = process.constrainedMemory();
  const isLimited = limit > 0 && limit < totalmem();
  const state = defaultStateFolder(env);
  return [
    fact("system", `${process.platform} ${release()}, ${process.arch}${libc()}${container()}`),
    fact("cores", `${cores} of ${all.length} (${all[0]?.model ?? "unknown"})`),
    fact(
      "memory",
      `${mib(totalmem())}, ${mib(freemem())} free${isLimited ? `, limited to ${mib(limit)}` : ""}`,
    ),
    diskOf("temporary folder", tmpdir()),
    diskOf("state folder", state),
    fact("clock", `${new Date().toISOString()}, ${Intl.DateTimeFormat().resolvedOptions().timeZone}`),
  ];
}

function libc(): string {
  if (process.platform !== "linux") return "";
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const { glibcVersionRuntime: glibc } = header;
  return glibc === undefined ? ", no glibc" : `, glibc ${glibc}`;
}

function container(): string {
  if (existsSync("/.dockerenv") || existsSync("/run/.containerenv")) return ", in a container";
  try {
    const model = readFileSync("/proc/device-tree/model", "utf8").replaceAll("\0", "");
    return `, ${model}`;
  } catch {
    return "";
  }
}

function diskOf(about: string, folder: string): Finding {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return fact(about, `${folder}, ${mib(bavail * bsize)} free`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return fact(about, code === "ENOENT" ? `${folder}, not made yet` : `${folder}, ${code ?? "unknown"}`);
  }
}
