/** What becomes of a batch that is sent in halves, when those end differently. */
import { expect, it } from "vitest";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { BatchResult } from "../targets/target.ts";
import { sendSplit } from "./split-batch.ts";

function failed(code: ErrorCode): BatchResult<string> {
  return { ok: false, error: new SpillwayError(code) };
}

/** @param ends of the calls with those payloads */
function split(ends: Readonly<Record<string, BatchResult<string>>>): Promise<BatchResult<string>> {
  return sendSplit(["a", "b"], async (payloads) => ends[payloads.join("")] as BatchResult<string>);
}

it("fails each request of its own when none was answered, and as a whole of what the target has to be told", async () => {
  const result = await split({
    ab: failed("request_too_large"),
    a: failed("request_too_large"),
    b: failed("spend_cap_reached"),
  });
  expect(result).toMatchObject({ ok: false, error: { code: "spend_cap_reached" } });
  expect([...(result.unanswered ?? [])]).toMatchObject([
    [0, { code: "request_too_large" }],
    [1, { code: "spend_cap_reached" }],
  ]);
  const throttled = { ab: failed("request_too_large"), b: failed("target_throttled") };
  for (const other of ["target_fault", "spend_cap_reached"] as const) {
    expect(await split({ ...throttled, a: failed(other) })).toMatchObject({
      error: { code: "target_throttled" },
    });
  }
});
