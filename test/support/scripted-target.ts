/** Targets and queues for tests: under the virtual clock, with results as the test wants them. */
import { SpillwayError } from "../../base/errors.ts";
import { fixedPolicy } from "../../client/policies/fixed.ts";
import type { QueueEvent, QueueOutput } from "../../client/queue/queue-event.ts";
import type { End, Submission } from "../../client/queue/request.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "../../client/targets/target.ts";
import type { VirtualQueueOptions } from "../../client/queue/queue-options.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";

type Answer = (batch: OutgoingBatch<number>, nth: number) => BatchResult<number>;

/** A target that answers every batch after `latencyMs` and remembers what it was sent. */
export class ScriptedTarget implements Target<number, number> {
  readonly name: string;
  readonly kind: TargetKind;
  readonly maxInFlight: number;
  readonly assumedLatencyMs = 10;
  readonly sent: { readonly atMs: number; readonly payloads: readonly number[] }[] = [];
  readonly #clock: VirtualClock;
  readonly #latencyMs: number;
  readonly #answer: Answer;
  readonly admit: NonNullable<Target<number, number>["admit"]>;

  constructor(
    clock: VirtualClock,
    options: {
      name: string;
      kind?: TargetKind;
      latencyMs?: number;
      maxInFlight?: number;
      answer?: Answer;
      /** Why a batch that would leave now is refused; undefined: it is admitted. Default: all are. */
      refusal?: (nowMs: number, batch: OutgoingBatch<number>) => SpillwayError | undefined;
    },
  ) {
    this.name = options.name;
    this.kind = options.kind ?? "edge";
    this.maxInFlight = options.maxInFlight ?? 100;
    this.#clock = clock;
    this.#latencyMs = options.latencyMs ?? 10;
    this.#answer = options.answer ?? answered;
    this.admit = (batch) => options.refusal?.(clock.nowMs(), batch);
  }

  send(batch: OutgoingBatch<number>, done: (result: BatchResult<number>) => void): void {
    const nth = this.sent.length;
    this.sent.push({ atMs: this.#clock.nowMs(), payloads: payloadsOf(batch) });
    this.#clock.schedule(this.#clock.nowMs() + this.#latencyMs, () => done(this.#answer(batch, nth)));
  }
}

export function payloadsOf<In>({ parts }: OutgoingBatch<In>): In[] {
  return parts.map(({ payload }) => payload);
}

/** Every payload is its own answer. */
export function answered(batch: OutgoingBatch<number>): BatchResult<number> {
  return { ok: true, answers: payloadsOf(batch), serviceMs: 5, coldStartMs: 0, cost: 0 };
}

export function unavailable(): BatchResult<number> {
  return { ok: false, error: new SpillwayError("target_unavailable") };
}

/** A queue under the virtual clock with the fixed plan of 20 and 2 rows and 400 ms, and all it did. */
export function testQueue(
  make: (clock: VirtualClock) => Partial<VirtualQueueOptions<number, number>> = () => ({}),
): {
  clock: VirtualClock;
  queue: VirtualQueue<number, number>;
  targets: readonly ScriptedTarget[];
  events: QueueEvent[];
  ends: Map<number, End<number>>;
  submit: (payload: number, options?: Omit<Submission<number>, "payload">) => void;
  batches: () => (QueueOutput & { kind: "batch" })[];
} {
  const clock = new VirtualClock();
  const events: QueueEvent[] = [];
  const ends = new Map<number, End<number>>();
  const own = make(clock);
  const targets = (own.targets as ScriptedTarget[] | undefined) ?? [
    new ScriptedTarget(clock, { name: "edge" }),
    new ScriptedTarget(clock, { name: "serverless" }),
  ];
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: fixedPolicy({ batchRows: [20, 2], timeoutMs: 400 }),
    sloMs: 1_000,
    observe: (event) => events.push(event),
    ...own,
    targets,
  });
  return {
    clock,
    queue,
    targets,
    events,
    ends,
    submit: (payload, options = {}) => {
      queue.submit({ payload, ...options }, (end) => {
        if (ends.has(payload)) throw new Error(`request ${payload} ended twice`);
        ends.set(payload, end);
      });
    },
    batches: () => events.filter((event) => event.kind === "batch"),
  };
}
