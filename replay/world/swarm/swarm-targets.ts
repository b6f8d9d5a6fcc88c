/** The targets of a daemon of the swarm: edges behind the message server, and a function; with what is known of them. */
import { SpillwayError } from "../../../base/errors.ts";
import type { PriceSheet } from "../../../serverless/prices/price.ts";
import type { ProfiledTarget } from "../../../client/policies/profile.ts";
import type { BatchResult, OutgoingBatch, Target } from "../../../client/targets/target.ts";
import type { Process } from "./process.ts";
import type { EdgeProcess } from "./swarm-edge.ts";
import { answerTo, type SwarmEdge } from "./swarm-world.ts";

type ContentTarget = Target<number, number>;

const callTimeoutMs = 10_000;
const rowBytes = 1_000;
const functionMs = 200;
const functionCost = 0.000_01;
const functionRows = 4;

export const swarmSheet: PriceSheet = {
  kind: "gb-second",
  name: "made up",
  currency: "USD",
  validFrom: "2026-01-01",
  source: "made up",
  perGbS: 0.000_016_7,
  perCall: 0.000_000_2,
  granularityMs: { cpu: 1 },
};

/** An edge as a target: batches and answers go through the message server. */
export function edgeTarget(edge: EdgeProcess, daemon: Process, server: Process): ContentTarget {
  const { life } = daemon;
  const back = (deliver: () => void): void => {
    if (daemon.life === life) daemon.down(deliver);
  };
  return {
    name: edge.spec.name,
    kind: "edge",
    maxInFlight: 16,
    assumedLatencyMs: 50,
    send: (batch, done) => {
      const finish = once(done);
      daemon.up(server, () => {
        if (!edge.process.isUp) {
          back(() => finish({ ok: false, error: new SpillwayError("target_unreachable") }));
          return;
        }
        edge.process.down(() =>
          edge.serve(batch.rows, (serviceMs, serverQueuedMs) =>
            back(() => finish(answered(batch, { serviceMs, serverQueuedMs, cost: 0 }))),
          ),
        );
      });
      daemon.after(Math.max(1, timeLeftMs(batch, daemon)), () =>
        finish({ ok: false, error: new SpillwayError("target_timeout") }),
      );
    },
  };
}

/** A function, which is always there and warm. */
export function functionTarget(daemon: Process): ContentTarget {
  return {
    name: "function",
    kind: "serverless",
    maxInFlight: 100,
    assumedLatencyMs: 300,
    send: (batch, done) => {
      daemon.after(functionMs + 10, () =>
        done(answered(batch, { serviceMs: functionMs, serverQueuedMs: 0, cost: functionCost })),
      );
    },
  };
}

export function edgeProfile({
  name,
  places,
  oneWayMs,
  maxBatch,
  firstRowMs,
  nextRowMs,
  model,
}: SwarmEdge): ProfiledTarget {
  const serviceMs = Object.fromEntries(
    [...new Set([1, maxBatch])].map((rows) => [`${rows}`, [firstRowMs + (rows - 1) * nextRowMs]]),
  );
  return {
    name,
    kind: "edge",
    replicas: places,
    link: { rttMs: 4 * oneWayMs, uplinkMbps: 1_000 },
    coldStartMs: [],
    models: { [model]: { requestBytes: rowBytes, maxBatch, serviceMs } },
  };
}

export function functionProfile(models: readonly string[]): ProfiledTarget {
  const times = {
    requestBytes: rowBytes,
    maxBatch: functionRows,
    serviceMs: { "1": [functionMs], [functionRows]: [functionMs] },
  };
  return {
    name: "function",
    kind: "serverless",
    replicas: 100,
    link: { rttMs: 10, uplinkMbps: 1_000 },
    coldStartMs: [0],
    vcpu: 1,
    memoryMib: 1_024,
    models: Object.fromEntries(models.map((model) => [model, times])),
  };
}

function timeLeftMs({ giveUpAtMs = Infinity }: OutgoingBatch<number>, daemon: Process): number {
  return Math.min(callTimeoutMs, giveUpAtMs - daemon.clockOfLife().nowMs());
}

function answered(
  { parts }: OutgoingBatch<number>,
  times: { readonly serviceMs: number; readonly serverQueuedMs: number; readonly cost: number },
): BatchResult<number> {
  return { ok: true, answers: parts.map(({ payload }) => answerTo(payload)), coldStartMs: 0, ...times };
}

function once<T>(done: (value: T) => void): (value: T) => void {
  let isOver = false;
  return (value) => {
    if (isOver) return;
    isOver = true;
    done(value);
  };
}
