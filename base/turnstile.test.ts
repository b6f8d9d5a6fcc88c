import { expect, it } from "vitest";
import { Turnstile } from "./turnstile.ts";

it("lets as many in as it has places, and the others in their order, also when work fails", async () => {
  const turnstile = new Turnstile(2);
  const inside: number[] = [];
  const leave: (() => void)[] = [];
  const passes = [0, 1, 2, 3].map((id) =>
    turnstile.pass(async () => {
      inside.push(id);
      await new Promise<void>((resolve) => (leave[id] = resolve));
      if (id === 0) throw new Error("fault");
    }),
  );
  expect(inside).toEqual([0, 1]);
  leave[0]?.();
  await expect(passes[0]).rejects.toThrow("fault");
  await Promise.resolve();
  expect(inside).toEqual([0, 1, 2]);
  leave[1]?.();
  await passes[1];
  await Promise.resolve();
  expect(inside).toEqual([0, 1, 2, 3]);
  leave[2]?.();
  leave[3]?.();
  await Promise.all(passes.slice(1));
});
