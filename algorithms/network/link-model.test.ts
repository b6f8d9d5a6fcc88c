import { expect, it } from "vitest";
import { seededRandom } from "../random.ts";
import { LinkModel } from "./link-model.ts";

/** A link as a replay has it: uploads one after another, then half a round trip there and half back. */
function replayedLink(rttMs: number, uplinkMbps: () => number): (bytes: number, atMs: number) => number {
  let freeAtMs = 0;
  return (bytes, atMs) => {
    freeAtMs = Math.max(freeAtMs, atMs) + (bytes * 8) / (uplinkMbps() * 1000);
    return freeAtMs + rttMs;
  };
}

const assumed = { assumedRttMs: 5, assumedUplinkMbps: 1_000 };

it("learns round trip and bandwidth from uploads of different size, though some wait for others", () => {
  const link = new LinkModel(assumed);
  const upload = replayedLink(40, () => 100);
  const random = seededRandom(1);
  let atMs = 0;
  for (let i = 0; i < 100; i++) {
    atMs += 60 * random();
    const bytes = 50_000 * (1 + Math.floor(8 * random()));
    const id = link.sent(bytes, atMs);
    link.delivered(id, upload(bytes, atMs));
  }
  expect(link.rttMs).toBeCloseTo(40, 0);
  expect(8 / (link.msPerByte * 1000)).toBeGreaterThan(95);
  expect(8 / (link.msPerByte * 1000)).toBeLessThan(105);
});

it("is not misled by a tenth of the uploads being ten times slower, and stays on the safe side of the bandwidth", () => {
  const link = new LinkModel({ ...assumed, bandwidthQuantile: 0.25 });
  const random = seededRandom(4);
  let slow = 1;
  const upload = replayedLink(20, () => 200 / slow);
  for (let i = 0; i < 200; i++) {
    slow = random() < 0.1 ? 10 : 1 + 0.2 * random();
    const bytes = 40_000 * (1 + Math.floor(10 * random()));
    const id = link.sent(bytes, i * 1_000);
    link.delivered(id, upload(bytes, i * 1_000));
  }
  expect(link.rttMs).toBeGreaterThan(16);
  expect(link.rttMs).toBeLessThan(24);
  const mbps = 8 / (link.msPerByte * 1000);
  expect(mbps).toBeGreaterThan(150);
  expect(mbps).toBeLessThan(190);
});

it("notices a link that has become four times slower within 20 uploads", () => {
  const link = new LinkModel(assumed);
  let mbps = 100;
  const upload = replayedLink(10, () => mbps);
  for (let i = 0; i < 120; i++) {
    if (i === 100) mbps = 25;
    const bytes = 30_000 * (1 + (i % 5));
    const id = link.sent(bytes, i * 1_000);
    link.delivered(id, upload(bytes, i * 1_000));
  }
  expect(8 / (link.msPerByte * 1000)).toBeLessThan(30);
});

it("keeps the assumed round trip when all uploads have one size", () => {
  const link = new LinkModel(assumed);
  const upload = replayedLink(40, () => 100);
  for (let i = 0; i < 20; i++) link.delivered(link.sent(100_000, i * 1_000), upload(100_000, i * 1_000));
  expect(link.rttMs).toBe(5);
  expect(link.rttMs + link.uploadMs(100_000)).toBeCloseTo(48, 9);
});

it("knows when the link will be free, and corrects it when answers tell", () => {
  const link = new LinkModel({ assumedRttMs: 10, assumedUplinkMbps: 8 });
  // 8 Mbit/s is a byte a microsecond.
  expect(link.freeAtMs).toBe(-Infinity);
  const first = link.sent(20_000, 0);
  link.sent(30_000, 5);
  expect(link.freeAtMs).toBeCloseTo(50, 9);
  expect(link.transferMs(1_000, 30)).toBeCloseTo(20 + 1 + 10, 9);
  // The first upload took 26 ms instead of 20: with one size seen, a byte takes 1.3 microseconds.
  link.delivered(first, 36);
  expect(link.freeAtMs).toBeCloseTo(26 + 39, 9);
});

it("does not learn from an upload that waited for one whose end is not known", () => {
  const link = new LinkModel({ assumedRttMs: 10, assumedUplinkMbps: 8 });
  link.sent(20_000, 0);
  const second = link.sent(20_000, 1);
  link.delivered(second, 500);
  expect(link.uploadMs(1_000)).toBeCloseTo(1, 9);
});

it("refuses moments that go back and uploads of nothing", () => {
  const link = new LinkModel(assumed);
  link.sent(1, 10);
  expect(() => link.sent(1, 9)).toThrow(/atMs is 9/);
  expect(() => link.sent(0, 11)).toThrow(/bytes is 0/);
});
