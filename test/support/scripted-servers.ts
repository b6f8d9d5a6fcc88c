/**
 * V2 servers as tests want them, behind the real targets of the daemon, under the virtual clock. A request has one row
 * with one number: 1 and above ask for an answer, the others are poison.
 */
import { setImmediate as settled } from "node:timers/promises";
import { SpillwayError } from "../../base/errors.ts";
import { queueKey } from "../../client/policies/queue-key.ts";
import type { Submission } from "../../client/queue/request.ts";
import type { Target, TargetKind } from "../../client/targets/target.ts";
import { modelTarget, type ModelTargetOptions } from "../../client/transports/model-target.ts";
import type { ModelCall } from "../../client/transports/model-call.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import { bodyPieces, type InferRequest, type InferResponse } from "../../protocol/message.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import type { VirtualClock } from "../../replay/world/virtual-clock.ts";

/** Numbers that a server fails on (500), and that it refuses (400). */
export const poison = { fails: -1, refused: -2 };

/** One call as a server gets it. */
export interface ScriptedCall {
  readonly model: string;
  readonly values: readonly number[];
  readonly nowMs: number;
}

/** What a server does: it answers, answers for one row too few, says an error, or is not there. */
export type ScriptedEnd = "answer" | "mixed" | { readonly status: number; readonly error: string } | "gone";

/** As most servers do: one bad row spoils the call, and the message tells which row it was. */
export function spoiltBy({ values }: ScriptedCall): ScriptedEnd {
  for (const [index, value] of values.entries()) {
    if (value === poison.fails) return { status: 500, error: `element ${index} broke the model` };
    if (value === poison.refused) return { status: 400, error: `element ${index} is no input` };
  }
  return "answer";
}

export function scriptedServer(
  clock: VirtualClock,
  options: Partial<ModelTargetOptions> & {
    readonly name: string;
    readonly kind: TargetKind;
    readonly endOf: (call: ScriptedCall) => ScriptedEnd;
    readonly latencyMs?: (rows: number) => number;
  },
): Target<ModelCall, InferResponse> & { readonly calls: readonly ScriptedCall[] } {
  const { endOf, latencyMs = () => 10, ...given } = options;
  const calls: ScriptedCall[] = [];
  const target = modelTarget({
    maxInFlight: 8,
    assumedLatencyMs: 20,
    callTimeoutMs: 10_000,
    nowMs: () => clock.nowMs(),
    ...given,
    transport: {
      close: async () => {},
      call: async (model, wire) => {
        const request = decodeInferRequest(bodyPieces(wire), wire.headerBytes);
        const [x] = request.inputs;
        const values = x === undefined ? [] : Array.from(tensorToNumbers(x));
        const call = { model, values, nowMs: clock.nowMs() };
        calls.push(call);
        const end = endOf(call);
        await new Promise<void>((resolve) =>
          clock.schedule(call.nowMs + latencyMs(values.length), () => resolve()),
        );
        if (end === "gone") throw new SpillwayError("target_unreachable", `${given.name} is gone`);
        const reply = { durationMs: 5, coldStartMs: 0, mayHaveStarted: false, cost: 0 };
        if (typeof end === "object")
          return {
            ...reply,
            status: end.status,
            wire: { body: Buffer.from(JSON.stringify({ error: end.error })) },
          };
        const rows = end === "mixed" && values.length > 1 ? values.slice(1) : values;
        const outputs = [tensorFromNumbers("y", "FP32", [rows.length, 1], rows)];
        return {
          ...reply,
          status: 200,
          wire: encodeInferResponse({ modelName: model, parameters: {}, outputs }, () => true),
        };
      },
    },
  });
  return Object.assign(target, { calls });
}

/** @param mostRows as in `queueKey` */
export function submissionOf(model: string, value: number, mostRows?: number): Submission<ModelCall> {
  const request: InferRequest = { parameters: {}, inputs: [tensorFromNumbers("x", "FP32", [1, 1], [value])] };
  return {
    payload: { model, request, rows: 1 },
    key: queueKey(model, request, mostRows),
    rows: 1,
    bytes: 30,
  };
}

/** Advances by the millisecond, and lets what was awaited at each go on. */
export async function runTo(clock: VirtualClock, atMs: number): Promise<void> {
  while (clock.nowMs() < atMs) {
    clock.advanceTo(Math.min(atMs, clock.nowMs() + 1));
    // oxlint-disable-next-line no-await-in-loop
    await settled();
  }
}
