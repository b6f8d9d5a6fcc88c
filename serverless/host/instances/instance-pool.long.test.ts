import { expect, it } from "vitest";
import { functionNamed, start } from "../../../test/support/function-host.ts";
import { probeCgroups } from "./cgroup-probe.ts";

const probed = await probeCgroups();
const { makeCgroup, skipped } = probed.possible
  ? { makeCgroup: probed.make, skipped: "" }
  : { makeCgroup: undefined, skipped: ` (skipped: ${probed.why})` };

it.skipIf(makeCgroup === undefined)(
  `gives a function no more than its share of a processor${skipped}`,
  async () => {
    const functions = [functionNamed("f", { vcpu: 0.5, memoryMib: 256 })];
    const { invoke } = await start({ functions, ...(makeCgroup && { makeCgroup }) });
    const { headers } = await invoke("!burn 200");
    // 50 ms in each 100 ms: 200 ms of work touch four such times at least.
    expect(Number(headers["x-fc-invocation-duration"])).toBeGreaterThan(250);
  },
);
