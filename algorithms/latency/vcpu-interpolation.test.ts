import { expect, it } from "vitest";
import { interpolateVcpu } from "./vcpu-interpolation.ts";

it("reads a size between two measured ones by the inverse of its vCPUs", () => {
  const of = (vcpu: number) => ({ vcpu, serviceMs: [0, 40 + 100 / vcpu, 50 + 200 / vcpu] });
  const between = interpolateVcpu([of(1), of(4)], 2);
  expect(between).toMatchObject({ kind: "interpolated", form: "inverse", isExtrapolated: false });
  expect(between.serviceMs[1]).toBeCloseTo(90, 9);
  expect(between.serviceMs[2]).toBeCloseTo(150, 9);
  expect(interpolateVcpu([of(1), of(4)], 8).isExtrapolated).toBe(true);
});

it("follows the exponential form that HarmonyBatch fits to VGG-19 within 2 %", () => {
  const curve = (vcpu: number): number => 1826 * Math.exp(-vcpu / 0.528) + 180;
  const measured = [0.5, 1, 2, 4].map((vcpu) => ({ vcpu, serviceMs: [0, curve(vcpu)] }));
  for (const vcpu of [0.75, 1.5, 3]) {
    const { serviceMs } = interpolateVcpu(measured, vcpu, "exponential");
    expect(Math.abs((serviceMs[1] as number) / curve(vcpu) - 1)).toBeLessThan(0.02);
  }
});

it("refuses too few sizes", () => {
  const one = { vcpu: 1, serviceMs: [0, 1] };
  expect(() => interpolateVcpu([one, one], 2)).toThrow(/needs 2 different/);
  expect(() => interpolateVcpu([one, { ...one, vcpu: 2 }], 3, "exponential")).toThrow(/needs 3/);
});
