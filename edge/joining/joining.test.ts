import { describe, expect, it } from "vitest";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import type { RanRequest } from "./join-check.ts";
import { Joining, type JoiningOptions, type LoadProof } from "./joining.ts";

const always = (): boolean => true;
const never = (): boolean => false;

/** A request of a row for each value; its answer is ten times as much. */
function ranOf(...values: number[]): RanRequest {
  const tensor = (name: string, numbers: number[]) =>
    tensorFromNumbers(name, "FP32", [numbers.length, 1], numbers);
  return {
    inputs: [tensor("x", values)],
    rows: values.length,
    outputs: [
      tensor(
        "y",
        values.map((value) => 10 * value),
      ),
    ],
  };
}

function joiningOf(options: Partial<JoiningOptions> = {}): { joining: Joining; changes: string[] } {
  const changes: string[] = [];
  const joining = new Joining({
    structure: {},
    tolerance: 0.005,
    mostRows: 8,
    onChange: (state, reason) => changes.push(`${state}: ${reason}`),
    ...options,
  });
  return { joining, changes };
}

const found: LoadProof = { state: "proved", reason: "agreed", proofs: 4, largestDifference: 0, shapes: 1 };

/** A model that was proved at load, and then for shape `a`. */
function provedJoining(options: Partial<JoiningOptions> = {}): ReturnType<typeof joiningOf> {
  const all = joiningOf(options);
  all.joining.proofAtLoad(found, 20);
  for (const value of [1, 2]) all.joining.ran("a", [ranOf(value)], 1);
  expect(check(all.joining)).toBe("together");
  return all;
}

/** Run the check that is due, which gives each input's value times the factor. Returns its kind, or undefined. */
function check(joining: Joining, { factor = 10, isIdle = true, ms = 1 } = {}): string | undefined {
  const due = joining.nextCheck(isIdle, always);
  if (due === undefined) return undefined;
  const values = Float32Array.from(
    new Float32Array(due.inputs[0]?.data.slice().buffer ?? []),
    (x) => factor * x,
  );
  const outputs = [tensorFromNumbers("y", "FP32", [values.length, 1], values)];
  joining.checked(due, { kind: "answered", outputs }, ms);
  return due.kind;
}

describe("what is known without a run", () => {
  it.each<[string, Partial<JoiningOptions>, string, number]>([
    ["the settings say yes", { joinRows: true }, "declared", 8],
    [
      "the settings say yes, although the outputs speak against it",
      { joinRows: true, structure: { obstacle: "o", isImpossible: false } },
      "declared",
      8,
    ],
    [
      "the settings say yes, but an input has no rows",
      { joinRows: true, structure: { obstacle: "o", isImpossible: true } },
      "obstacle",
      1,
    ],
    ["the settings say no", { joinRows: false }, "off", 1],
    ["the tensors speak against it", { structure: { obstacle: "o" } }, "obstacle", 1],
    ["the batch is fixed at one row", { structure: { fixedRows: 1 } }, "obstacle", 1],
    [
      "the batch is fixed at one row, and the settings say yes",
      { joinRows: true, structure: { fixedRows: 1 } },
      "declared",
      1,
    ],
    [
      "the batch is fixed at four, and the settings say yes",
      { joinRows: true, structure: { fixedRows: 4 } },
      "declared",
      4,
    ],
    ["nothing", {}, "unproved", 1],
  ])("%s", (_, options, state, mostRows) => {
    const { joining } = joiningOf(options);
    expect([joining.state, joining.mostRowsOf("a")]).toEqual([state, mostRows]);
  });

  it("rows of a fixed batch may run apart when it has one row or the settings say so, not when they say no", () => {
    const separate = (options: Partial<JoiningOptions>): boolean =>
      joiningOf(options).joining.hasSeparateRows;
    expect(separate({ structure: { fixedRows: 1 } })).toBe(true);
    expect(separate({ structure: { fixedRows: 1 }, joinRows: false })).toBe(false);
    expect(separate({ structure: { fixedRows: 8 } })).toBe(false);
    expect(separate({ structure: { fixedRows: 8 }, joinRows: true })).toBe(true);
  });
});

it("says of each shape whether its requests share runs, and of none once a comparison differed", () => {
  const said = (joining: Joining): unknown[] => ["a", "b", undefined].map((key) => joining.saidOf(key));
  expect(said(joiningOf({ joinRows: true }).joining)).toEqual([undefined, undefined, undefined]);
  const { joining } = provedJoining();
  expect([joining.isByKey, ...said(joining)]).toEqual([true, true, false, false]);
  joining.mixed("for a test");
  expect([joining.isByKey, ...said(joining)]).toEqual([false, false, false, false]);
});

describe("a model that was not proved at load", () => {
  it("is proved by two comparisons of requests that were answered apart", () => {
    const { joining, changes } = joiningOf();
    for (const values of [[1], [2, 3]]) joining.ran("a", [ranOf(...values)], 1);
    expect(check(joining)).toBe("together");
    expect(joining.mostRowsOf("a")).toBe(1);
    for (const values of [[4], [5]]) joining.ran("a", [ranOf(...values)], 1);
    expect(check(joining)).toBe("together");
    expect([joining.mostRowsOf("a"), joining.mostRowsOf("b")]).toEqual([8, 1]);
    expect(changes).toEqual(["proved: 2 comparisons of requests alone and in company agreed"]);
  });

  it("is not proved by requests that are alike, which would not show a mix", () => {
    const { joining } = joiningOf();
    for (let request = 0; request < 9; request++) joining.ran("a", [ranOf(1)], 1);
    expect(joining.nextCheck(true, always)).toBeUndefined();
  });

  it.each<[string, (joining: Joining) => void, RegExp]>([
    [
      "answers differ in company",
      (joining) => check(joining, { factor: 9 }),
      /another answer in company.*10 %/,
    ],
    [
      "the run fails",
      (joining) => {
        const due = joining.nextCheck(true, always);
        if (due !== undefined) joining.checked(due, { kind: "failed", why: "cannot reshape" }, 1);
      },
      /run alone fail together: cannot reshape/,
    ],
  ])("is disproved when %s", (_, run, reason) => {
    const { joining, changes } = joiningOf();
    for (const value of [1, 2]) joining.ran("a", [ranOf(value)], 1);
    run(joining);
    expect(joining.state).toBe("disproved");
    expect(changes[0]).toMatch(reason);
  });

  it("is disproved by a lone answer that has not the rows of its request", () => {
    const { joining, changes } = joiningOf();
    joining.ran("a", [{ ...ranOf(1, 2), rows: 1 }], 1);
    expect(changes).toEqual(['disproved: output "y" has 2 rows for a request of 1']);
  });

  it("is left as it is when a check says nothing, and given up when checks end replicas", () => {
    const { joining } = joiningOf();
    const ends = ["void", "died", "died"] as const;
    const states = ends.map((kind) => {
      for (const value of [1, 2]) joining.ran("a", [ranOf(value)], 1);
      const due = joining.nextCheck(true, always);
      if (due !== undefined) joining.checked(due, { kind, why: "SIGKILL" }, 1);
      return joining.state;
    });
    expect(states).toEqual(["unproved", "unproved", "disproved"]);
  });
});

describe("a model that is proved", () => {
  it("compares requests of every shape before they share runs, also of those that were proved at load", () => {
    const { joining } = joiningOf();
    joining.proofAtLoad(found, 20);
    expect([joining.joinsRows, joining.mostRowsOf("a")]).toEqual([true, 1]);
  });

  it("joins its proved shape, and another one once requests of it were compared", () => {
    const { joining } = provedJoining();
    expect([joining.mostRowsOf("a"), joining.mostRowsOf("b")]).toEqual([8, 1]);
    for (const value of [1, 1]) joining.ran("b", [ranOf(value)], 1);
    expect(check(joining)).toBe("together");
    expect(joining.mostRowsOf("b")).toBe(8);
  });

  it("compares a new shape while requests of it wait, and else only when the replica is idle", () => {
    const { joining } = provedJoining();
    for (const value of [1, 2]) joining.ran("b", [ranOf(value)], 1);
    expect(joining.nextCheck(false, never)).toBeUndefined();
    expect(joining.nextCheck(false, (key) => key === "b")).toMatchObject({ key: "b", rows: [1, 1] });
    expect(joining.nextCheck(false, always), "one at a time").toBeUndefined();
  });

  it("has a check of no more rows than one run may have", () => {
    const { joining } = provedJoining({ mostRows: 4 });
    for (const values of [[1, 2, 3], [4, 5], [6], [7, 8]]) joining.ran("b", [ranOf(...values)], 1);
    expect(joining.nextCheck(true, always)?.rows).toEqual([2, 1]);
  });

  it("is checked again now and then when the replica is idle, and ends joining at once when an answer differs", () => {
    const { joining, changes } = provedJoining();
    joining.ran("a", [ranOf(1), ranOf(2, 3)], 1);
    expect(check(joining, { isIdle: false })).toBeUndefined();
    expect(check(joining)).toBe("apart");
    expect(joining.mostRowsOf("a")).toBe(8);
    joining.ran("a", [ranOf(1), ranOf(2)], 1);
    check(joining, { factor: 10.1 });
    expect(joining.mostRowsOf("a")).toBe(1);
    expect(changes).toEqual([expect.stringMatching(/^disproved: .*differs by/)]);
  });

  it("has a row of a request of several checked too, since others may have joined them before", () => {
    const { joining } = provedJoining();
    joining.ran("a", [ranOf(1, 2, 3)], 1);
    expect(joining.nextCheck(true, always)).toMatchObject({ kind: "apart", rows: [1] });
  });

  it("keeps the largest difference that was taken for rounding", () => {
    const { joining } = provedJoining();
    joining.ran("a", [ranOf(1), ranOf(2)], 1);
    check(joining, { factor: 10.01 });
    expect(joining.status()).toMatchObject({ state: "proved", proofs: 6, loadProofMs: 20 });
    expect(joining.status().largestDifference).toBeCloseTo(0.001, 5);
  });

  it("never joins again after its rows were mixed", () => {
    const { joining } = provedJoining();
    joining.mixed("the batch has 3 rows");
    joining.ran("a", [ranOf(1)], 1);
    expect([joining.state, joining.mostRowsOf("a"), joining.nextCheck(true, always)]).toEqual([
      "disproved",
      1,
      undefined,
    ]);
  });
});

describe("what proofs cost", () => {
  /** Requests of ever new shapes; returns the time spent on checks over the time that replicas were busy. */
  function share(joining: Joining, shapes: number, ms: number): number {
    for (let shape = 0; shape < shapes; shape++) {
      for (const value of [1, 2]) joining.ran(`shape ${shape}`, [ranOf(value)], ms);
      check(joining, { ms: 2 * ms });
      joining.ran("a", [ranOf(1), ranOf(2)], ms);
      check(joining, { ms });
    }
    const { proofMs, busyMs } = joining.status();
    return (proofMs - 500) / busyMs;
  }

  it("is at most a hundredth of the busy time beyond half a second, however many shapes there are", () => {
    for (const ms of [1, 20, 400])
      expect(share(provedJoining().joining, 5_000, ms)).toBeLessThanOrEqual(0.01 + 1e-3);
  });

  it("is bounded by trusting further shapes of a model that was proved by several", () => {
    const { joining } = provedJoining();
    expect(share(joining, 200, 50)).toBeLessThan(0.02);
    expect(joining.mostRowsOf("never seen")).toBe(8);
    const { joining: once } = joiningOf();
    once.proofAtLoad(found, 20);
    for (const value of [1, 2]) once.ran("b", [ranOf(value)], 1);
    check(once, { ms: 1_000 });
    expect([once.mostRowsOf("b"), once.mostRowsOf("c")]).toEqual([8, 1]);
  });
});
