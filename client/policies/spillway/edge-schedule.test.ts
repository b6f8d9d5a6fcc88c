import { describe, expect, it } from "vitest";
import { ended, promisedAtMs, scheduleOf, send, tinyEdge } from "../../../test/support/tiny-targets.ts";
import type { LearnedEdge } from "../../targets/learned-edge.ts";
import { learnedTargets } from "../learned-targets.ts";
import type { EdgeSchedule } from "./edge-schedule.ts";

/**
 * Sends batches of a row one after another, each of which is served in `serviceMs` with `late` late answers;
 * returns the moment after.
 */
function serveAlone(
  schedule: EdgeSchedule,
  batches: number,
  serviceMs: number,
  fromMs: number,
  late = 0,
): number {
  const times = { serviceMs, serverQueuedMs: 0, coldStartMs: 0 };
  let nowMs = fromMs;
  for (let index = 0; index < batches; index++) {
    const batch = send(schedule.model, 1, nowMs);
    const endedAtMs = nowMs + 1 + 4 + serviceMs;
    schedule.model.ended(ended(batch, endedAtMs, { times, late }));
    nowMs = endedAtMs + 1;
  }
  return nowMs;
}

describe("the schedule of an edge", () => {
  it("promise an idle edge's answer after upload, round trip and service", () => {
    const schedule = scheduleOf(tinyEdge());
    schedule.start(100);
    expect(promisedAtMs(schedule, 0, 1)).toBeCloseTo(100 + 1 + 4 + 10, 5);
    expect(promisedAtMs(schedule, 0, 3)).toBeCloseTo(100 + 3 + 4 + 20, 5);
  });

  it("queue what is under way behind each other on one replica", () => {
    const schedule = scheduleOf(tinyEdge());
    send(schedule.model, 2, 0);
    send(schedule.model, 1, 0);
    schedule.start(1);
    // Two rows are there at 4 and served until 19, one row is there at 5 and served until 29.
    expect(schedule.dueAtMs(0, 1)).toBeCloseTo(29 - 1 - 2, 9);
    expect(promisedAtMs(schedule, 0, 1)).toBeCloseTo(29 + 10 + 2, 5);
  });

  it("spread what is under way over several replicas", () => {
    const schedule = scheduleOf(tinyEdge({ replicas: 3 }));
    send(schedule.model, 2, 0);
    send(schedule.model, 1, 0);
    send(schedule.model, 1, 0);
    send(schedule.model, 1, 0);
    schedule.start(1);
    // Served from 4 to 19, 5 to 15 and 6 to 16; the fourth on the second replica from 15 to 25.
    expect([0, 1, 2].map((replica) => schedule.dueAtMs(replica, 1))).toEqual([16, 22, 13]);
    expect(schedule.soonest()).toBe(2);
    schedule.reserve(2, 8);
    expect(schedule.soonest()).toBe(0);
  });

  it("enter what could follow as if it left in time to reach the replica when it is free", () => {
    const schedule = scheduleOf(tinyEdge());
    send(schedule.model, 8, 0);
    schedule.start(0);
    // There at 10, served until 55.
    schedule.reserve(0, 1);
    expect(schedule.dueAtMs(0, 1)).toBeCloseTo(65 - 3, 9);
    schedule.reserve(0, 2);
    expect(schedule.dueAtMs(0, 1)).toBeCloseTo(80 - 3, 9);
  });

  it("count the uplink's time as well as the replicas'", () => {
    const schedule = scheduleOf(tinyEdge({ rowUploadMs: 50, replicas: 2 }));
    send(schedule.model, 1, 0);
    schedule.start(0);
    expect(promisedAtMs(schedule, 1, 1)).toBeCloseTo(50 + 50 + 4 + 10, 5);
  });

  it("know until when a replica was busy from the answers that are back", () => {
    const schedule = scheduleOf(tinyEdge({ rowUploadMs: 0 }));
    schedule.model.ended(ended(send(schedule.model, 1, 0), 20));
    schedule.start(16);
    expect(schedule.dueAtMs(0, 1)).toBeCloseTo(20 - 2 - 2, 9);
  });

  it("keep a reserve that grows with the horizon", () => {
    const reserves = [0, 1, 2, 4, 8].map((batches) => {
      const [exact, careful] = [0, 2].map((reserve) => {
        const schedule = scheduleOf(tinyEdge({ rowUploadMs: 0 }), reserve);
        for (let index = 0; index < batches; index++) send(schedule.model, 8, 0);
        schedule.start(0);
        return promisedAtMs(schedule, 0, 8);
      }) as [number, number];
      return careful - exact;
    });
    // The replica is free at 2 + 45 ms a batch: a twentieth of that, twice.
    expect(reserves.map((ms) => ms.toFixed(4))).toEqual(
      [0, 1, 2, 4, 8].map((batches) => (batches === 0 ? 0 : 0.1 * (2 + 45 * batches)).toFixed(4)),
    );
  });

  it("add deviations up as squares, not one worst case on another", () => {
    const promised = (reserve: number): number => {
      const schedule = scheduleOf(tinyEdge({ rowUploadMs: 0, deviationMs: 6 }), reserve);
      for (let index = 0; index < 3; index++) send(schedule.model, 1, 0);
      schedule.start(0);
      return promisedAtMs(schedule, 0, 1);
    };
    expect(promised(2) - promised(0)).toBeCloseTo(2 * Math.sqrt(4 * 6 ** 2 + (0.05 * 32) ** 2), 4);
  });

  it("foresee worse the longer a batch is overdue, and for what follows it too", () => {
    const schedule = scheduleOf(tinyEdge(), 2);
    send(schedule.model, 1, 0);
    // Expected to be served from 3 to 13 and back at 15.
    const promises = [10, 15, 17, 25, 35, 60, 100].map((nowMs) => {
      schedule.start(nowMs);
      return promisedAtMs(schedule, 0, 1) - nowMs;
    });
    // Before it is overdue the rest of it gets shorter, afterwards longer.
    expect(promises[1]).toBeLessThan(promises[0] as number);
    for (let index = 2; index < promises.length; index++) {
      expect(promises[index]).toBeGreaterThan(promises[index - 1] as number);
    }
    // At 25 the edge is seen until 23: 10 ms over, 20 in service instead of 10.
    const exact = scheduleOf(tinyEdge());
    send(exact.model, 1, 0);
    exact.start(25);
    expect(exact.dueAtMs(0, 1)).toBeCloseTo(33 - 3, 9);
    expect(promisedAtMs(exact, 0, 1)).toBeCloseTo(33 + 20 + 2, 5);
  });

  it("take a batch that is late within its usual spread for one that ends now", () => {
    const schedule = scheduleOf(tinyEdge({ deviationMs: 10 }), 2);
    send(schedule.model, 1, 0);
    schedule.start(30);
    expect(schedule.dueAtMs(0, 1)).toBeCloseTo(28 - 3, 9);
    // Beyond it, it counts as slow.
    schedule.start(36);
    expect(schedule.dueAtMs(0, 1)).toBeCloseTo(34 + 21 - 3, 9);
  });

  it("knows of the batches of another model that the edge has, by that model's own times", () => {
    const [first, other] = [tinyEdge(), tinyEdge({ meanMs: () => 100, rowUploadMs: 7 })];
    const edge = learnedTargets({ targets: [first], sloMs: 1_000 }).edges.get(0) as LearnedEdge;
    const [schedule, ofOther] = [scheduleOf(first, 0, edge), scheduleOf(other, 0, edge)];
    const batch = send(ofOther.model, 2, 0);
    schedule.start(0);
    // The other model's two rows are there at 16 and served until 116; this one's row waits for both.
    expect(schedule.dueAtMs(0, 1)).toBeCloseTo(116 - 1 - 2, 9);
    expect(promisedAtMs(schedule, 0, 1)).toBeCloseTo(116 + 10 + 2, 5);
    send(schedule.model, 1, 1);
    ofOther.start(1);
    expect(ofOther.dueAtMs(0, 1)).toBeCloseTo(126 - 7 - 2, 9);
    const times = { serviceMs: 100, serverQueuedMs: 0, coldStartMs: 0 };
    ofOther.model.ended(ended(batch, 118, { times }));
    schedule.start(118);
    expect(schedule.dueAtMs(0, 1)).toBeCloseTo(126 - 1 - 2, 9);
  });

  it("forget an overdue batch's delay as soon as its answer tells better", () => {
    const schedule = scheduleOf(tinyEdge());
    const batch = send(schedule.model, 1, 0);
    const times = { serviceMs: 30, serverQueuedMs: 0, coldStartMs: 0 };
    schedule.model.ended(ended(batch, 35, { times }));
    schedule.start(35);
    expect(promisedAtMs(schedule, 0, 1)).toBeCloseTo(35 + 5 + 10, 5);
  });

  it("say when to look again because something is overdue", () => {
    const schedule = scheduleOf(tinyEdge());
    schedule.start(0);
    expect(schedule.doubtAtMs).toBe(Infinity);
    send(schedule.model, 1, 0);
    // Expected back at 15.
    schedule.start(5);
    expect(schedule.doubtAtMs).toBeCloseTo(15.1, 9);
    schedule.start(25);
    expect(schedule.doubtAtMs).toBeCloseTo(25 + 10 + 0.1, 9);
  });

  it("forget what was only booked when they are rewound", () => {
    const schedule = scheduleOf(tinyEdge({ replicas: 2, deviationMs: 3 }), 2);
    send(schedule.model, 3, 0);
    schedule.start(1);
    const promised = [0, 1].map((replica) => promisedAtMs(schedule, replica, 2));
    schedule.reserve(1, 8);
    schedule.reserve(0, 4);
    expect([0, 1].map((replica) => promisedAtMs(schedule, replica, 2))).not.toEqual(promised);
    schedule.reset();
    expect([0, 1].map((replica) => promisedAtMs(schedule, replica, 2))).toEqual(promised);
  });

  it("learn that the edge has become slower within a few batches, and that it is well again", () => {
    const schedule = scheduleOf(tinyEdge());
    let nowMs = 0;
    const promisedAfter = (times: number, serviceMs: number): number => {
      nowMs = serveAlone(schedule, times, serviceMs, nowMs);
      schedule.start(nowMs);
      return promisedAtMs(schedule, 0, 1) - nowMs;
    };
    expect(promisedAfter(100, 10)).toBeCloseTo(5 + 10, 5);
    expect(promisedAfter(1, 30)).toBeCloseTo(5 + 10, 5);
    expect(promisedAfter(8, 30)).toBeCloseTo(5 + 30, 5);
    // What one size has shown holds for all.
    expect(schedule.model.serviceMs[8]).toBeCloseTo(3 * 45, 5);
    expect(promisedAfter(8, 10)).toBeCloseTo(5 + 10, 5);
  });

  it("keep a margin that grows with batches that had late answers, up to a quarter of the SLO", () => {
    const promisedAfter = (late: number, batches: number): number => {
      const schedule = scheduleOf(tinyEdge());
      const nowMs = serveAlone(schedule, batches, 10, 0, late);
      schedule.start(nowMs);
      return promisedAtMs(schedule, 0, 1) - nowMs;
    };
    // A late batch adds a hundredth of the SLO of 1 s, and each takes off what 1 % late ones would add.
    expect(promisedAfter(1, 3)).toBeCloseTo(15 + 3 * 10 * 0.99, 5);
    expect(promisedAfter(0, 3)).toBeCloseTo(15, 5);
    expect(promisedAfter(1, 100)).toBeCloseTo(15 + 250, 5);
  });

  it("learn nothing from a batch that failed, or that waited for another one nobody knows how long", () => {
    const schedule = scheduleOf(tinyEdge());
    schedule.model.ended(ended(send(schedule.model, 1, 0), 500, { times: undefined, late: 1 }));
    const before = send(schedule.model, 1, 500);
    schedule.model.ended(ended(send(schedule.model, 1, 501), 900, { late: 1 }));
    schedule.model.ended(ended(before, 900, { times: undefined }));
    schedule.start(1_000);
    expect(promisedAtMs(schedule, 0, 1)).toBeCloseTo(1_015, 5);
  });

  it("learn of a batch alone at an edge that tells no times what its link does not account for", () => {
    const schedule = scheduleOf(tinyEdge());
    let nowMs = 0;
    for (let index = 0; index < 40; index++) {
      // Upload and round trip are 5 ms; the service of 10 ms takes 30.
      schedule.model.ended(ended(send(schedule.model, 1, nowMs), nowMs + 35));
      nowMs += 36;
    }
    schedule.start(nowMs);
    expect(promisedAtMs(schedule, 0, 1) - nowMs).toBeCloseTo(35, 5);
  });

  it("learn from answers that come sooner than the link allows that link and service are faster", () => {
    const schedule = scheduleOf(tinyEdge());
    let nowMs = 0;
    for (let index = 0; index < 40; index++) {
      schedule.model.ended(ended(send(schedule.model, 1, nowMs), nowMs + 3));
      nowMs += 4;
    }
    schedule.start(nowMs);
    expect(promisedAtMs(schedule, 0, 1) - nowMs).toBeLessThan(6);
  });

  it("tell plans what they reserve and what the uplink carries", () => {
    const { option } = scheduleOf(tinyEdge({ replicas: 3, deviationMs: 2, rowUploadMs: 0.5 }), 2).model;
    expect(option.replicas).toBe(3);
    expect(option.uplinkRowsPerMs).toBeCloseTo(2, 9);
    expect(option.serviceMs[8]).toBeCloseTo(45, 5);
    expect(option.latencyMs[8]).toBeCloseTo(45 + 2 * 2 + 8 * 0.5 + 4, 5);
    expect(scheduleOf(tinyEdge({ rowUploadMs: 0 })).model.option.uplinkRowsPerMs).toBe(Infinity);
  });
});

it("takes a batch of more rows than were measured for the largest one that was", () => {
  const schedule = scheduleOf(tinyEdge());
  const { maxBatchRows } = schedule.model.profile;
  const batch = { id: 0, target: 0, key: "", rows: maxBatchRows + 3, formedAtMs: 0 };
  schedule.model.sent(batch);
  schedule.start(1);
  const withLarger = schedule.answerAtMs(0, 1);
  const other = scheduleOf(tinyEdge());
  other.model.sent({ ...batch, rows: maxBatchRows });
  other.start(1);
  expect(withLarger).toBe(other.answerAtMs(0, 1));
});
