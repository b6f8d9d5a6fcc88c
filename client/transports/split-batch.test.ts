/** What becomes of a batch that is sent again in parts, when those end differently. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { BatchResult } from "../targets/target.ts";
import { type PartEnd, sendSplit } from "./split-batch.ts";

function failed(code: ErrorCode): BatchResult<string> {
  return { ok: false, error: new SpillwayError(code) };
}

function answered(payloads: readonly string[]): BatchResult<string> {
  return { ok: true, answers: payloads, serviceMs: 1, coldStartMs: 0, cost: 1 };
}

/** Sends the letters of a batch, and notes the calls in their order. */
async function split(
  letters: string,
  endOf: (call: string, payloads: readonly string[]) => BatchResult<string> | PartEnd<string>,
  atOnce = 1,
): Promise<{ result: BatchResult<string>; calls: string[]; mostAtOnce: number }> {
  const calls: string[] = [];
  let [open, mostAtOnce] = [0, 0];
  const result = await sendSplit(Array.from(letters), {
    atOnce,
    send: async (payloads) => {
      calls.push(payloads.join(""));
      mostAtOnce = Math.max(mostAtOnce, ++open);
      await Promise.resolve();
      open--;
      const end = endOf(payloads.join(""), payloads);
      return "result" in end ? end : { result: end };
    },
  });
  return { result, calls, mostAtOnce };
}

function errorsOf({ unanswered }: BatchResult<string>): [number, ErrorCode][] {
  return Array.from(unanswered ?? [], ([index, { code }]): [number, ErrorCode] => [index, code]).sort(
    ([a], [b]) => a - b,
  );
}

it("fails each request of its own when none was answered, and as a whole of what the target has to be told", async () => {
  const ends: Record<string, BatchResult<string>> = {
    ab: failed("request_too_large"),
    a: failed("request_too_large"),
    b: failed("spend_cap_reached"),
  };
  const { result } = await split("ab", (call) => ends[call] as BatchResult<string>);
  expect(result).toMatchObject({ ok: false, error: { code: "spend_cap_reached" } });
  expect(errorsOf(result)).toEqual([
    [0, "request_too_large"],
    [1, "spend_cap_reached"],
  ]);
  for (const other of ["target_fault", "spend_cap_reached"] as const) {
    const throttled: typeof ends = { ...ends, a: failed(other), b: failed("target_throttled") };
    const of = await split("ab", (call) => throttled[call] as BatchResult<string>);
    expect(of.result).toMatchObject({ error: { code: "target_throttled" } });
  }
});

describe("a batch with a request that spoils it", () => {
  const codes = [
    "request_rejected",
    "request_too_large",
    "model_not_found",
    "answer_rejected",
    "target_fault",
    "out_of_memory",
  ] as const;

  it.each(codes)("is sent again in parts, larger ones first, after %s", async (code) => {
    const { result, calls } = await split("abcdefgh", (call, payloads) =>
      call.includes("f") ? failed(code) : answered(payloads),
    );
    expect(calls).toEqual(["abcdefgh", "abcd", "efgh", "ef", "gh", "e", "f"]);
    expect(result).toMatchObject({ ok: true, answers: ["a", "b", "c", "d", "e", "g", "h"], cost: 3 });
    expect(errorsOf(result)).toEqual([[5, code]]);
  });

  it("has so many parts under way at once as are allowed", async () => {
    const spoilt = (_: string, payloads: readonly string[]) =>
      payloads.length > 1 ? failed("target_fault") : answered(payloads);
    expect((await split("abcdefgh", spoilt, 4)).mostAtOnce).toBe(4);
    expect((await split("abcdefgh", spoilt)).mostAtOnce).toBe(1);
  });

  it("is sent singly at once when its answer cannot be cut", async () => {
    const { result, calls } = await split("abcdef", (call, payloads) =>
      call.length > 1 ? { result: failed("target_fault"), mixed: "5 rows" } : answered(payloads),
    );
    expect(calls).toEqual(["abcdef", "a", "b", "c", "d", "e", "f"]);
    expect(result).toMatchObject({ ok: true, answers: ["a", "b", "c", "d", "e", "f"] });
  });
});

describe("a batch that fails for its target's sake", () => {
  it.each([
    "target_unreachable",
    "target_timeout",
    "target_unavailable",
    "target_throttled",
    "target_denied",
    "target_broken",
    "spend_cap_reached",
    "calls_open",
  ] as const)("is not sent again after %s", async (code) => {
    const { result, calls } = await split("abcdef", () => failed(code));
    expect(calls).toEqual(["abcdef"]);
    expect(result).toEqual(failed(code));
  });

  it("has no further part sent, and those wait for what the target said", async () => {
    const { result, calls } = await split("abcdef", (call) =>
      call.length > 3 ? failed("target_fault") : failed("target_unreachable"),
    );
    expect(calls).toEqual(["abcdef", "abc"]);
    expect(errorsOf(result)).toEqual([0, 1, 2, 3, 4, 5].map((index) => [index, "target_unreachable"]));
  });
});

it("answers every innocent, gives each poison its own error, and takes at most twice as many calls as requests", async () => {
  const batch = fc.array(fc.constantFrom("good", "refused", "fails", "mixes"), {
    minLength: 1,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(
      batch,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 40 }),
      async (kinds, atOnce, mostRows) => {
        let calls = 0;
        const result = await sendSplit([...kinds.keys()], {
          atOnce,
          send: async (some): Promise<PartEnd<number>> => {
            calls++;
            await Promise.resolve();
            const own = new Set(some.map((index) => kinds[index]));
            if (own.has("refused") || some.length > mostRows)
              return { result: { ok: false, error: new SpillwayError("request_rejected", String(some)) } };
            if (own.has("fails"))
              return { result: { ok: false, error: new SpillwayError("target_fault", String(some)) } };
            if (own.has("mixes") && some.length > 1)
              return { result: { ok: false, error: new SpillwayError("target_fault") }, mixed: "rows" };
            return { result: { ok: true, answers: some, serviceMs: 1, coldStartMs: 0, cost: 0 } };
          },
        });
        expect(calls).toBeLessThanOrEqual(2 * kinds.length);
        const innocent = [...kinds.keys()].filter(
          (index) => kinds[index] === "good" || kinds[index] === "mixes",
        );
        expect(result.ok ? result.answers : []).toEqual(innocent);
        for (const [index, kind] of kinds.entries()) {
          if (kind === "good" || kind === "mixes") continue;
          // The error of a call that was about this request alone.
          const error = result.unanswered?.get(index) ?? (result.ok ? undefined : result.error);
          expect(error?.message).toBe(String(index));
        }
      },
    ),
  );
});
