/** Routes under /admin for whoever looks after the host: its functions, instances, bill, and injected faults. */
import type { Hono } from "hono";
import { z } from "zod";
import { readInput } from "../deployed/read-input.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { InjectedFault, InjectedFaults } from "../injected-faults.ts";
import type { HostEnv, HostParts } from "./gate.ts";

const maxListed = 100;
const maxInputBytes = 2 ** 16;

const share = z.number("a number, 0 to 1").min(0, "0 to 1").max(1, "0 to 1").optional();
const faultInput = z.strictObject(
  {
    function: z.string().optional(),
    seconds: z.number("a number").positive("above 0, to 86400").max(86_400, "above 0, to 86400").default(60),
    throttle: share,
    crash: share,
    slow: z
      .strictObject({
        factor: z.number().min(1, "1 to 1000").max(1_000, "1 to 1000").optional(),
        ms: z.number().min(0, "0 to 86400000").max(86_400_000, "0 to 86400000").optional(),
      })
      .optional(),
    cold: z.enum(["once", "every"], "once, every").optional(),
  },
  "{ function?, seconds?, throttle?, crash?, slow?: { factor?, ms? }, cold? }",
);

export function addHostAdminRoutes(app: Hono<HostEnv>, parts: HostParts): void {
  const { store, pool, gate, meter, faults } = parts;
  app.get("/admin/bill", (context) => context.json(meter.bill(performance.now())));
  app.get("/admin/instances", (context) => context.json(pool.list()));
  app.get("/admin/status", (context) => {
    const functions = store.list("", "", maxListed).map(({ config, code, trigger }) => ({
      name: config.name,
      vcpu: config.vcpu,
      memoryMib: config.memoryMib,
      deployed: code !== undefined,
      trigger: trigger?.authType,
    }));
    return context.json({ functions, faults: faultsView(faults) });
  });
  app.get("/admin/faults", (context) => context.json(faultsView(faults)));
  app.delete("/admin/faults", (context) => {
    faults.clear();
    return context.json(faultsView(faults));
  });
  app.post("/admin/faults", gate.checked(maxInputBytes), (context) => {
    const { seconds, ...fault } = readInput(faultInput, context.var.body);
    if (fault.cold === undefined && !lasts(fault)) {
      const message = "a fault without an effect; allowed: at least one of throttle, crash, slow and cold";
      throw new FcRefusal("InvalidArgument", message);
    }
    if (fault.function !== undefined) store.get(fault.function);
    try {
      if (fault.cold === "once") store.retireInstances(fault.function);
      if (lasts(fault)) faults.add(fault, seconds * 1_000);
    } catch (error) {
      if (error instanceof RangeError) throw new FcRefusal("InvalidArgument", error.message);
      throw error;
    }
    return context.json(faultsView(faults));
  });
}

/** Whether a fault acts on later calls. Retiring the warm instances once is done at once. */
function lasts({ throttle, crash, slow, cold }: InjectedFault): boolean {
  return cold === "every" || [throttle, crash, slow].some((each) => each !== undefined);
}

function faultsView(faults: InjectedFaults): object[] {
  return faults.list().map(({ fault, leftMs }) => Object.assign({ secondsLeft: leftMs / 1_000 }, fault));
}
