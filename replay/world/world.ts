/**
 * The world of a scenario as targets of the virtual queue: one for each edge, then one for each function
 * size. All share the faults and the random draws; functions also share their link and their instances.
 * Batches reach an edge, or the functions, in the order in which they were formed. So the end of a batch is
 * worked out when it is sent, and the queue learns it when its time comes.
 */
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import type { Random } from "../../base/random.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { Target } from "../../client/targets/target.ts";
import { EdgeReplicas } from "./edge-replicas.ts";
import { Faults } from "./faults.ts";
import { FunctionInstances } from "./function-instances.ts";
import { type BatchUpload, Link } from "./link.ts";
import { randomStream } from "../traces/random-stream.ts";
import type { EdgeSpec, Scenario, SizeSpec } from "./scenario.ts";
import type { BatchSent, FailureCause, BatchOutcome, TraceRequest } from "./batch-sent.ts";
import type { VirtualClock } from "./virtual-clock.ts";

type WorldTarget = Target<TraceRequest, TraceRequest>;

export interface WorldOptions {
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
  readonly seed: number;
  readonly clock: VirtualClock;
  /** Called for every batch when it is sent, with how it will end. */
  readonly onBatch: (sent: BatchSent) => void;
}

/** Most batches in flight for each replica of an edge, as in the daemon; beyond that the queue waits. */
const maxInFlightPerReplica = 16;

const codes: Readonly<Record<FailureCause, ErrorCode>> = {
  "edge-down": "target_unavailable",
  throttle: "target_throttled",
  "max-instances": "target_throttled",
};

/** The targets of a world that begins at 0, with everything idle and no instance started. */
export function worldTargets(options: WorldOptions): WorldTarget[] {
  const { scenario, seed } = options;
  const faults = new Faults(scenario.faults);
  const serviceTimes = randomStream(seed, "service");
  return [
    ...scenario.edges.map((edge) => edgeTarget(options, edge, faults, serviceTimes)),
    ...functionTargets(options, faults, serviceTimes),
  ];
}

function edgeTarget(options: WorldOptions, edge: EdgeSpec, faults: Faults, random: Random): WorldTarget {
  const { scenario } = options;
  const { name } = edge;
  const link = new Link({ ...edge.link, rowBytes: scenario.requestBytes }, (atMs) =>
    faults.linkSlowFactor("edge", atMs, name),
  );
  const replicas = new EdgeReplicas(edge, faults);
  return {
    name,
    kind: "edge",
    maxInFlight: maxInFlightPerReplica * edge.replicas,
    assumedLatencyMs: edge.link.rttMs + edge.service.quantileMs(1, 0.5),
    send: sendOver(link, random, options, ({ reachMs }, rows, u) => {
      const served = replicas.serve(reachMs, rows, u);
      const place = { target: "edge", edge: name, replica: served.replica } as const;
      const end: BatchOutcome =
        "failedAtMs" in served
          ? { ok: false, cause: "edge-down", seenAtMs: served.failedAtMs + link.oneWayMs }
          : {
              ok: true,
              startMs: served.startMs,
              endMs: served.endMs,
              seenAtMs: served.endMs + link.oneWayMs,
              serviceMs: served.serviceMs,
              serverQueuedMs: served.startMs - reachMs,
            };
      return { place, end };
    }),
  };
}

function functionTargets(options: WorldOptions, faults: Faults, random: Random): WorldTarget[] {
  const { scenario, seed } = options;
  const { serverless, requestBytes } = scenario;
  const link = new Link({ ...serverless.link, rowBytes: requestBytes }, (atMs) =>
    faults.linkSlowFactor("serverless", atMs),
  );
  const instances = new FunctionInstances(serverless, randomStream(seed, "cold starts"));
  const call = (size: SizeSpec, reachMs: number, rows: number, u: number): BatchOutcome => {
    const refused = (cause: FailureCause): BatchOutcome => ({
      ok: false,
      cause,
      seenAtMs: reachMs + link.oneWayMs,
    });
    if (faults.isThrottled(reachMs)) return refused("throttle");
    const serviceMs = size.service.quantileMs(rows, u);
    const placement = instances.place(reachMs, size, serviceMs);
    if (placement === undefined) return refused("max-instances");
    const { instance, coldStartMs } = placement;
    const startMs = reachMs + coldStartMs;
    const endMs = startMs + serviceMs;
    const { billedMs, cost } = callCost(options.sheet, size, serviceMs, coldStartMs);
    return {
      ok: true,
      startMs,
      endMs,
      seenAtMs: endMs + link.oneWayMs,
      serviceMs,
      serverQueuedMs: 0,
      call: { instance, coldStartMs, billedMs, cost },
    };
  };
  return serverless.sizes.map((size) => ({
    name: size.name,
    kind: "serverless",
    maxInFlight: serverless.maxInstances,
    assumedLatencyMs: serverless.link.rttMs + size.service.quantileMs(1, 0.5),
    send: sendOver(link, random, options, ({ reachMs }, rows, u) => ({
      place: { target: "serverless", size: size.name },
      end: call(size, reachMs, rows, u),
    })),
  }));
}

/**
 * Sends batches over a link, reports each, and delivers its result at its time.
 *
 * @param endOf where the batch is served and how it ends; `u` is the quantile of the service time that it takes
 */
function sendOver(
  link: Link,
  random: Random,
  { clock, onBatch }: WorldOptions,
  endOf: (upload: BatchUpload, rows: number, u: number) => Pick<BatchSent, "place" | "end">,
): WorldTarget["send"] {
  return (batch, done) => {
    const formedAtMs = clock.nowMs();
    const u = random();
    const upload = link.upload(formedAtMs, batch.rows);
    const { place, end } = endOf(upload, batch.rows, u);
    onBatch({ batch, formedAtMs, upload, place, end });
    clock.schedule(end.seenAtMs, () => {
      if (!end.ok) {
        done({ ok: false, error: new SpillwayError(codes[end.cause]) });
        return;
      }
      const answers = batch.parts.map(({ payload }) => payload);
      const { serviceMs, serverQueuedMs, call } = end;
      const { coldStartMs = 0, cost = 0 } = call ?? {};
      done({ ok: true, answers, serviceMs, serverQueuedMs, coldStartMs, cost });
    });
  };
}
