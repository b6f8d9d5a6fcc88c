/** Whether functions are held to their sizes by control groups: as asked, and as this machine allows. */
import type { Logger } from "pino";
import { probeCgroups, type MakeCgroup } from "./cgroup-probe.ts";
import { UsageError } from "../../../base/usage-error.ts";

/** @throws UsageError when control groups must be used and cannot */
export async function chosenCgroups(
  mode: "auto" | "on" | "off",
  log: Pick<Logger, "info" | "warn">,
): Promise<MakeCgroup | undefined> {
  if (mode === "off") return undefined;
  const probed = await probeCgroups();
  if (probed.possible) {
    log.info({ where: probed.where }, "instances are held to their vCPU and memory by control groups");
    return probed.make;
  }
  if (mode === "on") throw new UsageError(`--cgroups is "on"; allowed here: auto, off (${probed.why})`);
  log.warn(`instances are not held to their vCPU and memory: ${probed.why}`);
  return undefined;
}
