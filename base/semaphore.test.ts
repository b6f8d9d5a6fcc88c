import { expect, it } from "vitest";
import { Semaphore } from "./semaphore.ts";

it("runs as many tasks as it has places, and the others in their order, also when a task fails", async () => {
  const semaphore = new Semaphore(2);
  const running: number[] = [];
  const end: (() => void)[] = [];
  const tasks = [0, 1, 2, 3].map((id) =>
    semaphore.run(async () => {
      running.push(id);
      await new Promise<void>((resolve) => (end[id] = resolve));
      if (id === 0) throw new Error("fault");
    }),
  );
  expect(running).toEqual([0, 1]);
  end[0]?.();
  await expect(tasks[0]).rejects.toThrow("fault");
  await Promise.resolve();
  expect(running).toEqual([0, 1, 2]);
  end[1]?.();
  await tasks[1];
  await Promise.resolve();
  expect(running).toEqual([0, 1, 2, 3]);
  end[2]?.();
  end[3]?.();
  await Promise.all(tasks.slice(1));
});
