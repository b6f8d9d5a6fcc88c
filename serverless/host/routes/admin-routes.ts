/** What looks after a host ask: its functions, instances, bill and asynchronous calls; and trouble, to see what comes of it. */
import type { Hono, MiddlewareHandler } from "hono";
import { z } from "zod";
import type { AsyncCalls } from "../calls/async-calls.ts";
import type { FunctionStore } from "../deployed/function-store.ts";
import { readInput } from "../deployed/read-input.ts";
import type { Fault, Faults } from "../faults.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { InvoiceBook } from "../calls/invoice.ts";
import type { Instances } from "../instances/instances.ts";
import type { Meter } from "../calls/meter.ts";
import { BodyRoom, readBounded } from "../read-bounded.ts";
import type { HostEnv } from "./host-route.ts";

export interface AdminRoutesOptions {
  readonly store: FunctionStore;
  readonly instances: Instances;
  readonly meter: Meter;
  /** Undefined under a price sheet without compute units. */
  readonly book: InvoiceBook | undefined;
  readonly asyncCalls: AsyncCalls;
  readonly faults: Faults;
  readonly guard: MiddlewareHandler;
}

const mostListed = 100;
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

export function addAdminRoutes(app: Hono<HostEnv>, options: AdminRoutesOptions): void {
  const { store, instances, meter, book, asyncCalls, faults, guard } = options;
  app.use("/admin/*", guard);
  app.get("/admin/bill", (context) => context.json(meter.bill(performance.now())));
  app.get("/admin/invoice", (context) => {
    if (book === undefined) {
      throw new FcRefusal("PathNotSupported", "the price sheet has no compute units; /admin/bill has it all");
    }
    return context.json(book.invoice());
  });
  app.get("/admin/instances", (context) => context.json(instances.list()));
  app.get("/admin/status", (context) => {
    const functions = store.list("", "", mostListed).map(({ config, code, trigger }) => ({
      name: config.name,
      vcpu: config.vcpu,
      memoryMib: config.memoryMib,
      gpu: config.gpu,
      deployed: code !== undefined,
      trigger: trigger?.authType,
    }));
    return context.json({ functions, asyncCalls: asyncCalls.status, faults: faultsView(faults) });
  });
  app.get("/admin/faults", (context) => context.json(faultsView(faults)));
  app.delete("/admin/faults", (context) => {
    faults.clear();
    return context.json(faultsView(faults));
  });
  app.post("/admin/faults", async (context) => {
    const body = await readBounded(context.req.raw, maxInputBytes, new BodyRoom(maxInputBytes));
    const { seconds, ...fault } = readInput(faultInput, body.bytes);
    if (fault.cold === undefined && !lasts(fault))
      throw new FcRefusal("InvalidArgument", "a fault has one at least of throttle, crash, slow and cold");
    if (fault.function !== undefined) store.get(fault.function);
    try {
      if (fault.cold === "once") store.chill(fault.function);
      if (lasts(fault)) faults.add(fault, seconds * 1_000);
    } catch (error) {
      if (error instanceof RangeError) throw new FcRefusal("InvalidArgument", error.message);
      throw error;
    }
    return context.json(faultsView(faults));
  });
}

/** Making everything cold once is done when it is asked for. */
function lasts({ throttle, crash, slow, cold }: Fault): boolean {
  return cold === "every" || [throttle, crash, slow].some((each) => each !== undefined);
}

function faultsView(faults: Faults): object[] {
  return faults.list().map(({ fault, leftMs }) => Object.assign({ secondsLeft: leftMs / 1_000 }, fault));
}
