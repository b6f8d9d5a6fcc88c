/** Wires the virtual queue's daemon: targets, profile, policy, record and log around the queue. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Logger } from "pino";
import { createBatchLog } from "../client/daemon/observe/batch-log.ts";
import { BilledMetadata } from "../client/daemon/billed-metadata.ts";
import { createDaemonApp } from "../client/daemon/ingress/v2-app.ts";
import { ModelDirectory } from "../client/daemon/model-directory.ts";
import { monotonicClock } from "../base/clock.ts";
import type { VqueueOptions } from "../client/daemon/options.ts";
import { makePolicy, type PolicyListener, type QueuePolicy } from "../client/policies/queue-policy.ts";
import { createRecorder } from "../client/daemon/observe/recorder.ts";
import type { ModelCall } from "../client/transports/model-target.ts";
import { VirtualQueue } from "../client/queue/virtual-queue.ts";
import type { MenuFunction } from "../serverless/prices/function-menu.ts";
import type { InferResponse } from "../protocol/message.ts";
import { whyUnwritable } from "../base/error-text.ts";
import { chosenFunctions } from "../serverless/prices/function-choice.ts";
import { createLog, type LogOptions } from "../base/program/log.ts";
import { UsageError } from "../base/usage-error.ts";
import { readPriceSheet } from "../serverless/prices/price-sheet-files.ts";
import { serve } from "../base/program/serve.ts";
import { openSpendCap, spendClockMs } from "../client/daemon/spend.ts";
import { type ChosenPlan, chosenPlan } from "../client/daemon/chosen-policy.ts";
import {
  learnModels,
  measuredProfile,
  readProfile,
  withAssumptions,
} from "../client/daemon/profile/daemon-profile.ts";
import { connect } from "../client/daemon/connect.ts";

export async function runVqueue(options: VqueueOptions & LogOptions): Promise<number> {
  const log = createLog("vqueue", options);
  const plan = chosenPlan(options);
  const functions = usedFunctions(options, plan, log);
  const prices = readPriceSheet(options.prices);
  const given = readProfile({ options, functions });
  const record = openRecord(options.record);
  const cap = openSpendCap(options, functions, prices, log);
  const connections = connect(options, functions, prices, cap);
  const { edge, all: transports, targets } = connections;
  const clock = monotonicClock();
  const nowMs = (): number => clock.nowMs();
  const models = new ModelDirectory(edge, new BilledMetadata(connections.servers, nowMs), nowMs);
  const limits = {
    sloMs: options.slo * 1_000,
    maxQueuedRows: options.maxRows,
    maxBytes: options.maxMib * 2 ** 20,
    maxAttempts: 5,
    seed: Math.floor(Math.random() * 2 ** 32),
  };
  let queue: VirtualQueue<ModelCall, InferResponse> | undefined;

  const prepare = async (stop: AbortSignal): Promise<void> => {
    const policy = await queuePolicy(stop);
    const facts = targets.map(({ name, kind, maxInFlight, assumedLatencyMs }) => {
      return { name, kind, maxInFlight, assumedLatencyMs };
    });
    const recorder =
      record && createRecorder({ policy, targets: facts, ...limits }, (line) => record.write(line));
    const batchLog = createBatchLog(log);
    const listener: PolicyListener = {
      onPlan: (key, change) => {
        recorder?.({ kind: "plan", key, ...change });
        const { cause, ratePerS, isAdopted, text } = change;
        // Most heartbeats, and most stalls of a busy machine, change nothing.
        const level = isAdopted || cause === "changepoint" ? "info" : "debug";
        log[level]({ cause, ratePerS: Math.round(ratePerS * 10) / 10, isAdopted, text }, "plan");
      },
      onStandIn: (model, standIn) =>
        log.info({ model, standIn }, "model without a profile; another stands in"),
    };
    queue = new VirtualQueue({
      clock,
      policy: makePolicy(policy, limits.sloMs, listener),
      targets,
      ...limits,
      observe: (event) => {
        batchLog(event);
        recorder?.(event);
      },
    });
  };
  const queuePolicy = async (stop: AbortSignal): Promise<QueuePolicy> => {
    const source = { options, functions, models, transports, log };
    const replies = await learnModels(source);
    if (plan.name === "fixed") {
      const batchRows = [plan.edgeRows, plan.functionRows].slice(0, targets.length);
      return { name: "fixed", batchRows, timeoutMs: plan.timeoutMs };
    }
    const profile = given ?? (await measuredProfile(source, replies, stop));
    return { ...plan, targets: withAssumptions(profile.targets, log), prices };
  };
  const close = async (): Promise<void> => {
    await new Promise<void>((drained) => (queue === undefined ? drained() : queue.close(drained)));
    await connections.close();
    cap.close(spendClockMs());
    record?.close();
    if (queue !== undefined) log.info({ ...queue.counts }, "requests");
  };
  const app = createDaemonApp({
    queue: () => queue,
    models,
    spend: () => cap.status(spendClockMs()),
    adminToken: options.adminToken,
    sloMs: limits.sloMs,
    maxBodyBytes: options.maxBodyMib * 2 ** 20,
    onFault: (error) => log.error({ err: error }, "fault"),
  });
  const { name, ...figures } = plan;
  log.info(
    { edge: options.edge, functions: functions.map(placeOf(options)), sloS: options.slo, ...figures },
    `plan ${name}`,
  );
  return serve({ app, prepare, close }, options.host, options.port, log);
}

/** The fixed plan knows one function only. */
function usedFunctions(options: VqueueOptions, plan: ChosenPlan, log: Logger): readonly MenuFunction[] {
  const chosen = chosenFunctions(options);
  if (!options.serverless) return [];
  if (plan.name === "spillway" || chosen.length === 1) return chosen;
  log.warn({ function: chosen[0]?.name }, "--plan fixed uses the first function only");
  return chosen.slice(0, 1);
}

function placeOf({ fcEndpoint }: VqueueOptions): (each: MenuFunction) => string {
  return ({ name, vcpu, memoryMib, url }) =>
    `${name} (${vcpu} vCPU, ${memoryMib} MiB) at ${url ?? fcEndpoint}`;
}

/** The record's file; lines are written at once, so a record is whole up to the moment of a crash. */
function openRecord(path: string | undefined): { write(line: string): void; close(): void } | undefined {
  if (path === undefined) return undefined;
  try {
    const file = openSync(path, "w");
    return { write: (line) => void writeSync(file, line), close: () => closeSync(file) };
  } catch (error) {
    throw new UsageError(`${path}: ${whyUnwritable(error)}`);
  }
}
