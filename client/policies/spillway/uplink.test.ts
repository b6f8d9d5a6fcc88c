import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Uplink } from "./uplink.ts";

interface Sent {
  readonly rows: number;
  readonly formedAtMs: number;
  readonly endMs: number;
}

/** Sends uploads of `profiledMs` through a link that is `factor` times slower, one after another. */
function linkOf(factor: number) {
  const uplink = new Uplink();
  const sent: Sent[] = [];
  let freeAtMs = -Infinity;
  return {
    uplink,
    sent,
    send: (profiledMs: number, atMs: number): void => {
      freeAtMs = Math.max(freeAtMs, atMs) + profiledMs * factor;
      // Rows tell the uploads of one moment apart.
      const upload = { rows: sent.length, formedAtMs: atMs, endMs: freeAtMs };
      sent.push(upload);
      uplink.sent(0, upload.rows, profiledMs, atMs);
    },
    answer: (index: number): void => {
      const { rows, formedAtMs, endMs } = sent[index] as Sent;
      uplink.ended(0, rows, formedAtMs, endMs);
    },
    fail: (index: number): void => {
      const { rows, formedAtMs } = sent[index] as Sent;
      uplink.ended(0, rows, formedAtMs, undefined);
    },
  };
}

describe("an uplink", () => {
  it("expects uploads one after another, and none before it was sent", () => {
    const { uplink, send } = linkOf(1);
    expect(uplink.freeAtMs()).toBe(-Infinity);
    send(10, 5);
    send(20, 6);
    send(1, 100);
    expect(uplink.uploads.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [5, 15],
      [15, 35],
      [100, 101],
    ]);
    expect(uplink.freeAtMs()).toBe(101);
  });

  it("is busy until the last upload's end even when its answer is back", () => {
    const { uplink, send, answer } = linkOf(1);
    send(10, 0);
    answer(0);
    expect(uplink.uploads).toHaveLength(0);
    expect(uplink.freeAtMs()).toBe(10);
    send(10, 4);
    expect(uplink.freeAtMs()).toBe(20);
  });

  it("learns how slow it is from one upload after another", () => {
    const { uplink, send, answer } = linkOf(5);
    for (let index = 0; index < 40; index++) {
      send(2, index * 100);
      answer(index);
    }
    expect(uplink.takesMs(3)).toBeCloseTo(15, 3);
  });

  it("learns from queued uploads too, when they are answered in order", () => {
    const { uplink, send, answer } = linkOf(3);
    for (let index = 0; index < 40; index++) send(2, 0);
    for (let index = 0; index < 40; index++) answer(index);
    expect(uplink.takesMs(1)).toBeCloseTo(3, 3);
  });

  it("expects those under way again when an answer shows when the upload before them ended", () => {
    const { uplink, send, answer } = linkOf(2);
    send(10, 0);
    send(10, 0);
    send(10, 0);
    answer(0);
    const slowness = 2 ** 0.3;
    const [first, second] = uplink.uploads;
    expect(first?.startMs).toBe(20);
    expect(first?.endMs).toBeCloseTo(20 + 10 * slowness, 9);
    expect(second?.startMs).toBe(first?.endMs);
    expect(uplink.freeAtMs()).toBeCloseTo(20 + 20 * slowness, 9);
  });

  it("does not learn from an upload whose start is not known", () => {
    const { uplink, send, answer } = linkOf(4);
    send(10, 0);
    send(10, 0);
    answer(1);
    expect(uplink.takesMs(1)).toBe(1);
    answer(0);
    expect(uplink.takesMs(1)).toBeCloseTo(4 ** 0.3, 9);
  });

  it("keeps its estimate when many answers come back in the opposite order", () => {
    const { uplink, send, answer } = linkOf(1);
    for (let index = 0; index < 30; index++) send(10, 0);
    for (let index = 29; index >= 0; index--) answer(index);
    expect(uplink.takesMs(10)).toBeCloseTo(10, 9);
    expect(uplink.freeAtMs()).toBe(300);
  });

  it("keeps the estimate of a link that is as profiled, whatever the order of answers", () => {
    const orders = fc
      .array(
        fc.record({ profiledMs: fc.integer({ min: 1, max: 20 }), gapMs: fc.integer({ max: 30, min: 0 }) }),
        {
          minLength: 1,
          maxLength: 12,
        },
      )
      .chain((uploads) => {
        const indices = uploads.map((_, index) => index);
        return fc.record({
          uploads: fc.constant(uploads),
          order: fc.shuffledSubarray(indices, { minLength: indices.length }),
        });
      });
    fc.assert(
      fc.property(orders, ({ uploads, order }) => {
        const { uplink, sent, send, answer } = linkOf(1);
        let atMs = 0;
        for (const { profiledMs, gapMs } of uploads) send(profiledMs, (atMs += gapMs));
        for (const index of order) answer(index);
        expect(uplink.takesMs(1)).toBeCloseTo(1, 9);
        expect(uplink.uploads).toHaveLength(0);
        expect(uplink.freeAtMs()).toBe(sent.at(-1)?.endMs);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("learns nothing from a failed upload, and takes its expected end for the start of the next", () => {
    const { uplink, send, answer, fail } = linkOf(1);
    send(10, 0);
    send(10, 0);
    fail(0);
    expect(uplink.takesMs(1)).toBe(1);
    expect(uplink.freeAtMs()).toBe(20);
    answer(1);
    expect(uplink.takesMs(1)).toBe(1);
    send(10, 5);
    fail(2);
    expect(uplink.uploads).toHaveLength(0);
    expect(uplink.freeAtMs()).toBe(30);
  });

  it("learns nothing from uploads that are shorter than jitter", () => {
    const { uplink, send, answer } = linkOf(100);
    send(0.01, 0);
    send(0, 0);
    answer(0);
    answer(1);
    expect(uplink.takesMs(1)).toBe(1);
  });

  it("is moved by no single answer beyond a factor of 16 to the 0.3", () => {
    for (const factor of [1e6, 1e-6]) {
      const { uplink, send, answer } = linkOf(factor);
      send(10, 0);
      answer(0);
      expect(Math.abs(Math.log(uplink.takesMs(1)))).toBeCloseTo(0.3 * Math.log(16), 9);
    }
  });

  it("pays no heed to batches that it was not given", () => {
    const { uplink, send } = linkOf(1);
    send(10, 0);
    uplink.ended(1, 0, 0, 99);
    uplink.ended(0, 0, 1, 99);
    expect(uplink.uploads).toHaveLength(1);
    expect(uplink.freeAtMs()).toBe(10);
  });
});
