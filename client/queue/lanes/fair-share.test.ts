import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fixedSlots } from "../../../test/support/fixed-slots.ts";
import { ScriptedTarget, testQueue } from "../../../test/support/scripted-target.ts";
import { fixedPolicy } from "../../policies/fixed.ts";
import { EligibleTargets } from "../eligible-targets.ts";
import { FairShare } from "./fair-share.ts";
import { RequestLine } from "../request-line.ts";

interface Row {
  readonly id: number;
  readonly lane: string;
  readonly tenant: string;
  readonly rows: number;
  readonly bytes: number;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  readonly attempts: number;
}

function lineOf(requests: readonly Partial<Row>[]): RequestLine<Row> {
  const line = new RequestLine<Row>("", EligibleTargets.all(fixedSlots([])));
  const some = { lane: "", tenant: "", rows: 1, bytes: 0, attempts: 0, arrivedAtMs: 0, deadlineAtMs: 100 };
  for (const [id, request] of requests.entries()) line.add({ ...some, id, ...request });
  return line;
}

const of = (tenant: string, count: number, more: Partial<Row> = {}): Partial<Row>[] =>
  Array.from({ length: count }, () => ({ tenant, ...more }));

describe("tenants of a lane", () => {
  it("have places in turn, whoever came first", () => {
    const share = new FairShare<Row>();
    const line = lineOf([...of("a", 10), ...of("b", 2), ...of("c", 1)]);
    const taken = () => {
      const requests = share.pick(line, 4, 0);
      share.took(line, requests);
      line.drop(requests);
      return requests.map(({ tenant }) => tenant).join("");
    };
    expect([taken(), taken(), taken()]).toEqual(["aabc", "aaab", "aaaa"]);
  });

  it("have rows in turn, not requests", () => {
    const share = new FairShare<Row>();
    const line = lineOf([...of("a", 4, { rows: 3 }), ...of("b", 9)]);
    const requests = share.pick(line, 4, 0);
    const rows = (name: string) =>
      requests.filter(({ tenant }) => tenant === name).reduce((sum, each) => sum + each.rows, 0);
    expect([rows("a"), rows("b")]).toEqual([6, 6]);
  });

  it("that were away for a while have no claim on the time before", () => {
    const share = new FairShare<Row>();
    const before = lineOf(of("a", 100));
    share.took(before, before.peek(100));
    const line = lineOf([...of("a", 10), ...of("b", 10)]);
    expect(share.pick(line, 6, 0).filter(({ tenant }) => tenant === "b")).toHaveLength(3);
  });

  it("leave the places of other lanes and of those who were passed over alone", () => {
    const share = new FairShare<Row>();
    const line = lineOf([
      ...of("a", 3, { lane: "quick", deadlineAtMs: 10 }),
      ...of("b", 2, { lane: "quick", deadlineAtMs: 11 }),
      ...of("b", 5, { lane: "bulk" }),
    ]);
    expect(share.pick(line, 3, 0).map(({ lane, tenant }) => lane + tenant)).toEqual([
      "quicka",
      "quicka",
      "quickb",
    ]);
    expect(share.pick(line, 2, 2).map(({ id }) => id)).toEqual([2, 3]);
  });

  it("get what the policy decided on when nobody else waits", () => {
    const share = new FairShare<Row>();
    const line = lineOf(of("", 5));
    expect(share.pick(line, 2, 1)).toEqual(line.peek(2, 1));
  });

  it("have as many rows of each lane in all as the policy decided, each request once", () => {
    const request = fc.record({
      tenant: fc.constantFrom("", "a", "b", "c"),
      lane: fc.constantFrom("", "bulk"),
      deadlineAtMs: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 30 }),
        fc.nat(),
        fc.nat(),
        (requests, a, b) => {
          const line = lineOf(requests);
          const first = a % line.length;
          const count = 1 + (b % (line.length - first));
          const planned = line.peek(count, first);
          const picked = new FairShare<Row>().pick(line, count, first);
          expect(new Set(picked).size).toBe(count);
          const inLane = (name: string, rows: readonly Row[]) =>
            rows.filter(({ lane }) => lane === name).length;
          for (const lane of ["", "bulk"]) expect(inLane(lane, picked)).toBe(inLane(lane, planned));
          const length = line.length;
          line.drop(picked, first);
          expect(line.length).toBe(length - count);
        },
      ),
    );
  });
});

it("does not let a tenant that floods a queue delay another by more than the batches under way", () => {
  const { clock, ends, submit } = testQueue((virtual) => ({
    policy: fixedPolicy({ batchRows: [10], timeoutMs: 0 }),
    targets: [new ScriptedTarget(virtual, { name: "edge", maxInFlight: 1, latencyMs: 20 })],
  }));
  for (let id = 0; id < 400; id++) submit(id, { tenant: "flood" });
  for (let id = 1_000; id < 1_020; id++) {
    clock.advanceTo((id - 1_000) * 25);
    submit(id, { tenant: "small" });
  }
  clock.runAll();
  for (let id = 1_000; id < 1_020; id++) {
    const end = ends.get(id);
    expect(end).toMatchObject({ outcome: "served" });
    if (end !== undefined && "queuedMs" in end) expect(end.queuedMs).toBeLessThanOrEqual(20);
  }
});
