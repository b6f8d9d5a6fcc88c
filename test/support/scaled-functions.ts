/**
 * Functions on instances under virtual time, with the scaling rules and the meter of the function host. Calls, starts and
 * stops take the given times instead of running processes.
 */
import type { FunctionSize, PriceSheet } from "../../serverless/prices/price.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { Meter, type Bill } from "../../serverless/host/meter.ts";
import { Scaling, type ScalingRules } from "../../serverless/host/instances/scaling.ts";

export interface ScaledFunctions {
  readonly rules: ScalingRules;
  readonly functions: Readonly<Record<string, FunctionSize & { readonly concurrency: number }>>;
  /** In any order. */
  readonly calls: readonly { readonly atMs: number; readonly name: string; readonly durationMs: number }[];
  readonly coldStartMs?: number;
  /** Time that an instance takes to go. */
  readonly stopMs?: number;
  readonly prices: PriceSheet;
}

export type CallRecord = { readonly name: string; readonly atMs: number } & (
  | { readonly instance: number; readonly beganMs: number; readonly endedMs: number }
  | { readonly limit: "instances" | "growth" }
);

/** An instance from the decision to start it. */
export interface InstanceRecord {
  readonly name: string;
  readonly atMs: number;
  /** Infinity while it is there. */
  goneAtMs: number;
}

export interface ScaledRun {
  readonly calls: readonly CallRecord[];
  /** By number. */
  readonly instances: ReadonlyMap<number, InstanceRecord>;
  readonly bill: Bill;
}

/** Run until every call has ended and every instance is gone. */
export function runScaled(world: ScaledFunctions): ScaledRun {
  const { functions, rules, coldStartMs = 0, stopMs = 0 } = world;
  const clock = new VirtualClock();
  const scaling = new Scaling(rules);
  const meter = new Meter(world.prices);
  const calls: CallRecord[] = [];
  const instances = new Map<number, InstanceRecord>();
  /** What waits for an instance to be ready; undefined when it is. */
  const waiting = new Map<number, (() => void)[] | undefined>();
  const going = new Map<number, (() => void)[]>();

  const stop = (instance: number): void => {
    if (going.has(instance)) return;
    going.set(instance, []);
    clock.schedule(clock.nowMs() + stopMs, () => {
      scaling.gone(instance);
      meter.stopped(String(instance));
      (instances.get(instance) as InstanceRecord).goneAtMs = clock.nowMs();
      for (const go of going.get(instance) ?? []) go();
    });
  };
  const reclaim = clock.createTimer(() => {
    for (const instance of scaling.reclaim(clock.nowMs())) stop(instance);
    reclaim.setAt(scaling.nextReclaimAtMs ?? Infinity);
  });
  const start = (instance: number, name: string): void => {
    clock.schedule(clock.nowMs() + coldStartMs, () => {
      scaling.started(instance);
      const size = functions[name] as FunctionSize;
      meter.started(String(instance), { name, size, coldStartMs, initializeMs: 0 }, clock.nowMs());
      const begin = waiting.get(instance) ?? [];
      waiting.set(instance, undefined);
      for (const each of begin) each();
    });
  };

  for (const { atMs, name, durationMs } of world.calls) {
    clock.schedule(atMs, () => {
      const placed = scaling.place(name, functions[name]?.concurrency ?? 1, atMs);
      if (placed.to === "none") {
        meter.refused(name);
        calls.push({ name, atMs, limit: placed.limit });
        return;
      }
      const { instance } = placed;
      if (placed.to === "new") {
        instances.set(instance, { name, atMs, goneAtMs: Infinity });
        waiting.set(instance, []);
        if (placed.after === undefined) start(instance, name);
        else {
          stop(placed.after);
          going.get(placed.after)?.push(() => start(instance, name));
        }
      }
      const begin = (): void => {
        const beganMs = clock.nowMs();
        meter.callBegan(String(instance), beganMs);
        clock.schedule(beganMs + durationMs, () => {
          const endedMs = clock.nowMs();
          meter.callEnded(String(instance), endedMs, false);
          calls.push({ name, atMs, instance, beganMs, endedMs });
          if (scaling.ended(instance, endedMs)) stop(instance);
          reclaim.setAt(scaling.nextReclaimAtMs ?? Infinity);
        });
      };
      const queue = waiting.get(instance);
      if (queue === undefined) begin();
      else queue.push(begin);
    });
  }
  clock.runAll();
  return { calls, instances, bill: meter.bill(clock.nowMs()) };
}
