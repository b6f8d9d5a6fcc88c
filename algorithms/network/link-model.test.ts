import fc from "fast-check";
import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { LinkModel, type LinkModelOptions, type LinkUpload } from "./link-model.ts";

/** 1 Gbit/s and 5 ms until uploads tell otherwise. */
const assumed: LinkModelOptions = { assumedRttMs: 5, assumedMsPerByte: 8e-6 };

/** A link as a replay has it: uploads one after another, then half a round trip there and half back. */
function linkOf(options: Partial<LinkModelOptions>, rttMs: number, uplinkMbps: () => number) {
  const link = new LinkModel({ ...assumed, ...options });
  const sent: { readonly upload: LinkUpload; readonly networkEndMs: number }[] = [];
  let freeAtMs = 0;
  return {
    link,
    send: (bytes: number, atMs: number): void => {
      freeAtMs = Math.max(freeAtMs, atMs) + (bytes * 8) / (uplinkMbps() * 1_000);
      sent.push({ upload: link.sent(bytes, atMs), networkEndMs: freeAtMs + rttMs });
    },
    answer: (index: number): boolean => {
      const { upload, networkEndMs } = sent[index] as (typeof sent)[number];
      return link.ended(upload, networkEndMs);
    },
    fail: (index: number): boolean => link.ended(sent[index]?.upload as LinkUpload, undefined),
  };
}

function mbps(link: LinkModel): number {
  return 8 / (link.msPerByte * 1_000);
}

it("learns round trip and bandwidth from uploads of different size, though some wait for others", () => {
  const { link, send, answer } = linkOf({}, 40, () => 100);
  const random = seededRandom(1);
  let atMs = 0;
  for (let index = 0; index < 100; index++) {
    atMs += 60 * random();
    send(50_000 * (1 + Math.floor(8 * random())), atMs);
    answer(index);
  }
  expect(link.rttMs).toBeCloseTo(40, 0);
  expect(mbps(link)).toBeGreaterThan(95);
  expect(mbps(link)).toBeLessThan(105);
});

it("is not misled by a tenth of the uploads being ten times slower, and stays on the safe side of the bandwidth", () => {
  const random = seededRandom(4);
  let slow = 1;
  const { link, send, answer } = linkOf({}, 20, () => 200 / slow);
  for (let index = 0; index < 200; index++) {
    slow = random() < 0.1 ? 10 : 1 + 0.2 * random();
    send(40_000 * (1 + Math.floor(10 * random())), index * 1_000);
    answer(index);
  }
  expect(link.rttMs).toBeGreaterThan(16);
  expect(link.rttMs).toBeLessThan(24);
  expect(mbps(link)).toBeGreaterThan(150);
  expect(mbps(link)).toBeLessThan(190);
});

it("notices within 8 uploads that the link has become four times slower, and forgets what was before", () => {
  let now = 100;
  const { link, send, answer } = linkOf({}, 10, () => now);
  const drifts: number[] = [];
  for (let index = 0; index < 120; index++) {
    if (index === 100) now = 25;
    send(30_000 * (1 + (index % 5)), index * 1_000);
    if (answer(index)) drifts.push(index);
    if (index === 110) expect(mbps(link)).toBeCloseTo(25, 0);
  }
  expect(drifts.filter((index) => index >= 100)).toHaveLength(1);
  expect(drifts.at(-1)).toBeLessThan(108);
});

it("keeps the assumed round trip when all uploads have one size", () => {
  const { link, send, answer } = linkOf({}, 40, () => 100);
  for (let index = 0; index < 20; index++) {
    send(100_000, index * 1_000);
    answer(index);
  }
  expect(link.rttMs).toBe(5);
  expect(link.rttMs + link.uploadMs(100_000)).toBeCloseTo(48, 9);
});

it("knows when the link will be free, and corrects it when answers tell", () => {
  // A byte a microsecond.
  const link = new LinkModel({ assumedRttMs: 10, assumedMsPerByte: 1e-3 });
  expect(link.freeAtMs).toBe(-Infinity);
  const first = link.sent(20_000, 0);
  const second = link.sent(30_000, 5);
  expect([first.endAtMs, second.endAtMs, link.freeAtMs]).toEqual([20, 50, 50]);
  // The first upload took 26 ms instead of 20. One upload does not tell that the link is slower.
  link.ended(first, 36);
  expect(second.endAtMs).toBeCloseTo(26 + 30, 9);
  link.ended(second, undefined);
  expect(link.freeAtMs).toBeCloseTo(56, 9);
});

it("does not take one stalled answer for a slow link, and forgets within seconds that the link was slow", () => {
  const link = new LinkModel({ assumedRttMs: 10, assumedMsPerByte: 1e-3 });
  const timed = (atMs: number, tookMs: number): void => {
    link.ended(link.sent(20_000, atMs), atMs + tookMs + 10);
  };
  timed(0, 4_000);
  expect(link.uploadMs(20_000)).toBeCloseTo(20, 9);
  for (let nth = 0; nth < 10; nth++) timed(5_000 + 5_000 * nth, 4_000);
  expect(link.uploadMs(20_000)).toBeGreaterThan(1_000);
  link.fade(55_000);
  expect(link.isSlow).toBe(true);
  link.fade(70_000);
  expect(link.uploadMs(20_000)).toBeCloseTo(20, 9);
});

it("learns from queued uploads too, when they are answered in order", () => {
  const { link, send, answer } = linkOf({ assumedRttMs: 40 }, 40, () => 250);
  for (let index = 0; index < 40; index++) send(100_000, 0);
  for (let index = 0; index < 40; index++) answer(index);
  expect(mbps(link)).toBeCloseTo(250, 6);
});

it("does not learn from an upload that waited for one whose end is not known", () => {
  const { link, send, answer, fail } = linkOf({}, 5, () => 100);
  send(100_000, 0);
  send(100_000, 1);
  answer(1);
  expect(mbps(link)).toBeCloseTo(1_000, 6);
  send(100_000, 100);
  send(100_000, 100);
  fail(2);
  answer(3);
  expect(mbps(link)).toBeCloseTo(1_000, 6);
});

it("keeps the estimate of a link that is as assumed, whatever the order of answers", () => {
  const orders = fc
    .array(
      fc.record({ bytes: fc.integer({ min: 6_000, max: 90_000 }), gapMs: fc.integer({ max: 3, min: 0 }) }),
      { minLength: 1, maxLength: 12 },
    )
    .chain((uploads) => {
      const indices = uploads.map((_, index) => index);
      const all = { minLength: indices.length };
      return fc.record({ uploads: fc.constant(uploads), order: fc.shuffledSubarray(indices, all) });
    });
  fc.assert(
    fc.property(orders, ({ uploads, order }) => {
      const { link, send, answer } = linkOf({}, 5, () => 1_000);
      let atMs = 0;
      for (const { bytes, gapMs } of uploads) send(bytes, (atMs += gapMs));
      const freeAtMs = link.freeAtMs;
      for (const index of order) answer(index);
      expect(mbps(link)).toBeCloseTo(1_000, 3);
      expect(link.rttMs).toBeCloseTo(5, 6);
      expect(link.freeAtMs).toBeCloseTo(freeAtMs, 6);
    }),
    { seed: 1, numRuns: 300 },
  );
});

it("learns nothing from uploads that are shorter than jitter, and pays no heed to those it was not given", () => {
  const { link, send, answer } = linkOf({}, 5, () => 1);
  send(1_000, 0);
  answer(0);
  expect(mbps(link)).toBeCloseTo(1_000, 6);
  answer(0);
  link.ended({ bytes: 1, sentAtMs: 0, endAtMs: 1 }, 99);
  expect(mbps(link)).toBeCloseTo(1_000, 6);
});

it("refuses sizes below 0 and options outside their range", () => {
  const { link } = linkOf({}, 5, () => 1);
  expect(() => link.sent(-1, 11)).toThrow(/bytes is -1/);
  expect(() => new LinkModel({ ...assumed, jitterMs: -1 })).toThrow(/jitterMs is -1/);
});

it("is not taken to be slow for answers that a busy machine notices late", () => {
  const learnt = (lateMs: number): number => {
    const link = new LinkModel({ assumedRttMs: 2, assumedMsPerByte: 0.1 });
    link.isToldLateBy(lateMs);
    for (let nth = 0; nth < 40; nth++) {
      const bytes = 10 + (nth % 4) * 10;
      const sentAtMs = nth * 200;
      // Larger uploads come with more work for the machine, so that they seem to take their time.
      link.ended(link.sent(bytes, sentAtMs), sentAtMs + 2 + 0.1 * bytes + bytes);
    }
    return link.uploadMs(40);
  };
  expect(learnt(50)).toBeCloseTo(4, 6);
  expect(learnt(0)).toBeGreaterThan(30);
});
