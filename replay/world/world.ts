/**
 * The world of a scenario as targets of the virtual queue: one for each edge, then one for each function
 * size. All share the faults and the random draws; functions also share their link and their instances.
 * Batches reach an edge, or the functions, in the order in which they were formed. So the end of a batch is
 * worked out when it is sent, and the queue learns it when its time comes.
 */
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import type { Random } from "../../base/random.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { BatchResult, OutgoingBatch, Target } from "../../client/targets/target.ts";
import { EdgeReplicas } from "./edge-replicas.ts";
import { Faults } from "./faults.ts";
import { FunctionInstances } from "./function-instances.ts";
import { Link } from "./link.ts";
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
  const { scenario, clock } = options;
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
    send: (batch, done) => {
      const formedAtMs = clock.nowMs();
      const u = random();
      const upload = link.upload(formedAtMs, batch.rows);
      const served = replicas.serve(upload.reachMs, batch.rows, u);
      const { replica } = served;
      const end: BatchOutcome =
        "failedAtMs" in served
          ? { ok: false, cause: "edge-down", seenAtMs: served.failedAtMs + link.oneWayMs }
          : {
              ok: true,
              startMs: served.startMs,
              endMs: served.endMs,
              seenAtMs: served.endMs + link.oneWayMs,
              serviceMs: served.serviceMs,
              serverQueuedMs: served.startMs - upload.reachMs,
            };
      follow(
        options,
        batch,
        { batch, formedAtMs, upload, place: { target: "edge", edge: name, replica }, end },
        done,
      );
    },
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
    send: (batch, done) => {
      const formedAtMs = options.clock.nowMs();
      const u = random();
      const upload = link.upload(formedAtMs, batch.rows);
      const end = call(size, upload.reachMs, batch.rows, u);
      const place = { target: "serverless", size: size.name } as const;
      follow(options, batch, { batch, formedAtMs, upload, place, end }, done);
    },
  }));
}

/** Report the batch, and deliver its result at its time. */
function follow(
  { clock, onBatch }: WorldOptions,
  batch: OutgoingBatch<TraceRequest>,
  sent: BatchSent,
  done: (result: BatchResult<TraceRequest>) => void,
): void {
  onBatch(sent);
  const { end } = sent;
  clock.schedule(end.seenAtMs, () => {
    if (!end.ok) done({ ok: false, error: new SpillwayError(codes[end.cause]) });
    else {
      const { serviceMs, serverQueuedMs, call } = end;
      const { coldStartMs = 0, cost = 0 } = call ?? {};
      done({
        ok: true,
        answers: batch.parts.map(({ payload }) => payload),
        serviceMs,
        serverQueuedMs,
        coldStartMs,
        cost,
      });
    }
  });
}
