import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ModelBatch, ModelQueue, type QueueItem } from "./model-queue.ts";
import { ServiceTimes } from "./service-times.ts";

interface Item extends QueueItem {
  readonly id: number;
}

const bounds = { maxQueueRows: 100, maxQueueBytes: 1_000, maxBatchRows: 8 };
let nextId = 0;

function item(overrides: Partial<Item> = {}): Item {
  return { id: nextId++, key: "a", rows: 1, bytes: 4, deadlineAtMs: Infinity, rank: 2, ...overrides };
}

function queueOf(...items: Item[]): ModelQueue<Item> {
  const queue = new ModelQueue<Item>(bounds);
  for (const each of items) expect(queue.add(each)).toBeUndefined();
  return queue;
}

const next = (queue: ModelQueue<Item>, nowMs = 0): ModelBatch<Item> | undefined => queue.next(nowMs).batch;

const idsOf = (batch: ModelBatch<Item> | undefined): number[] | undefined =>
  batch?.requests.map(({ id }) => id);

describe("the queue of a model", () => {
  it("joins to the oldest those that fit beside it, and leaves the others in their order", () => {
    const [a, b, wide, c, d] = [
      item({ rows: 4 }),
      item({ key: "b" }),
      item({ rows: 5 }),
      item({ rows: 3 }),
      item(),
    ];
    const queue = queueOf(a, b, wide, c, d);
    expect(idsOf(next(queue))).toEqual([a.id, c.id, d.id]);
    expect(idsOf(next(queue))).toEqual([b.id]);
    expect(idsOf(next(queue))).toEqual([wide.id]);
    expect(next(queue)).toBeUndefined();
  });

  it("runs the most urgent first, in order of arrival among equals, and joins to it others of its key", () => {
    const [plain, bulk, otherKind, urgent] = [
      item(),
      item({ rank: 3 }),
      item({ key: "b", rank: 1 }),
      item({ rank: 1 }),
    ];
    const queue = queueOf(bulk, plain, otherKind, urgent);
    expect(idsOf(next(queue))).toEqual([otherKind.id]);
    expect(idsOf(next(queue))).toEqual([urgent.id, plain.id, bulk.id]);
    const later = queueOf(bulk, plain);
    expect(idsOf(next(later))).toEqual([plain.id, bulk.id]);
  });

  it("runs a request alone that has more rows than run together", () => {
    const queue = queueOf(item({ rows: 20 }), item());
    expect(next(queue)?.rows).toBe(20);
    expect(next(queue)?.rows).toBe(1);
  });

  it("takes what fits into its bounds, and anything when it is empty", () => {
    const queue = queueOf(item({ rows: 5_000, bytes: 50_000 }));
    expect(queue.add(item())).toBe("full");
    next(queue);
    expect(queue.add(item({ rows: 100, bytes: 400 }))).toBeUndefined();
    expect(queue.add(item())).toBe("full");
    next(queue);
    expect(queue.add(item({ bytes: 1_000 }))).toBeUndefined();
    expect(queue.add(item({ bytes: 1 }))).toBe("full");
    expect([queue.rows, queue.bytes]).toEqual([1, 1_000]);
  });

  it("expires at the deadline, not before, what waits and what is being run", () => {
    const [run, waiting, patient] = [
      item({ deadlineAtMs: 10 }),
      item({ key: "b", deadlineAtMs: 10 }),
      item(),
    ];
    const queue = queueOf(run, waiting, patient);
    expect(queue.nextDeadlineMs).toBe(10);
    const batch = next(queue) as ModelBatch<Item>;
    expect(idsOf(batch)).toEqual([run.id, patient.id]);
    expect(queue.expire(9.9)).toEqual([]);
    expect(queue.expire(10)).toEqual([run, waiting]);
    expect(queue.nextDeadlineMs).toBe(Infinity);
    expect(queue.hasWork).toBe(false);
    expect(queue.batchSucceeded(batch)).toEqual([false, true]);
    expect(queue.size).toBe(0);
  });

  it("finds the one poisoned request of a batch by halves, and all others are answered", () => {
    const items = Array.from({ length: 8 }, () => item());
    const poisoned = items[5] as Item;
    const queue = queueOf(...items);
    const answered: Item[] = [];
    const failed: Item[] = [];
    let runs = 0;
    for (let batch = next(queue); batch !== undefined; batch = next(queue)) {
      runs++;
      if (batch.requests.includes(poisoned)) failed.push(...queue.batchFailed(batch, "failed"));
      else if (queue.batchSucceeded(batch).every(Boolean)) answered.push(...batch.requests);
    }
    expect(failed).toEqual([poisoned]);
    expect(answered.toSorted((a, b) => a.id - b.id)).toEqual(items.filter((each) => each !== poisoned));
    expect(runs).toBe(7);
  });

  it("runs a batch again whole at the first death, and singly at the second", () => {
    const items = [item(), item(), item()];
    const [first, second, third] = items as [Item, Item, Item];
    const queue = queueOf(...items);
    const death = (): Item[] => queue.batchFailed(next(queue) as ModelBatch<Item>, "died");
    expect(death()).toEqual([]);
    const later = item();
    queue.add(later);
    expect(death()).toEqual([]);
    expect(death()).toEqual([first]);
    expect(queue.batchSucceeded(next(queue) as ModelBatch<Item>)).toEqual([true]);
    expect(idsOf(next(queue))).toEqual([third.id]);
    expect(idsOf(next(queue))).toEqual([later.id]);
    expect(second.id).toBeLessThan(third.id);
  });

  it("joins no more rows than its key may have now, and none of a request without a key", () => {
    const mostRows = new Map([
      ["a", 1],
      ["b", 2],
    ]);
    const queue = new ModelQueue<Item>({ ...bounds, mostRowsOf: (key) => mostRows.get(key) ?? 1 });
    const all = ["a", "a", "b", "b", "b", undefined, undefined].map((key) => item({ key }));
    for (const each of all) queue.add(each);
    expect(queue.hasWaiting("b")).toBe(true);
    mostRows.set("a", 2);
    const runs = Array.from({ length: 5 }, () => next(queue)?.requests.length);
    expect(runs).toEqual([2, 2, 1, 1, 1]);
    expect([next(queue), queue.hasWaiting("b")]).toEqual([undefined, false]);
  });

  it("runs each request of a batch singly that was mixed", () => {
    const [a, b, c] = [item(), item(), item()];
    const queue = queueOf(a, b, c);
    expect(queue.batchFailed(next(queue) as ModelBatch<Item>, "mixed")).toEqual([]);
    expect([next(queue), next(queue), next(queue)].map(idsOf)).toEqual([[a.id], [b.id], [c.id]]);
  });

  it("counts a request by its places for the bound, and by its rows for a run", () => {
    const queue = queueOf(item({ rows: 5, places: 1 }), item({ rows: 5, places: 1 }), item({ rows: 3 }));
    expect(queue.rows).toBe(5);
    expect(next(queue)).toMatchObject({ rows: 8, places: 4 });
    expect(queue.rows).toBe(1);
  });

  it("does not run again what was cancelled meanwhile", () => {
    const [a, b] = [item(), item()];
    const queue = queueOf(a, b);
    const batch = next(queue) as ModelBatch<Item>;
    queue.remove(a);
    queue.batchFailed(batch, "died");
    expect(idsOf(next(queue))).toEqual([b.id]);
  });

  it("gives back all that waits, for its first run or another, when it is drained", () => {
    const [a, b, c] = [item(), item({ key: "b" }), item({ key: "b" })];
    const queue = queueOf(a, b, c);
    queue.batchFailed(next(queue) as ModelBatch<Item>, "died");
    expect(queue.drain()).toEqual([a, b, c]);
    expect([queue.size, queue.rows, queue.bytes, next(queue)]).toEqual([0, 0, 0, undefined]);
  });

  it("ends every request exactly once, whatever happens in which order, and runs none that is expired or gone", () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant("add" as const),
        key: fc.constantFrom("a", "b"),
        rows: fc.integer({ min: 1, max: 12 }),
        inMs: fc.constantFrom(3, 20, Infinity),
      }),
      fc.record({ do: fc.constant("next" as const) }),
      fc.record({ do: fc.constantFrom("succeed" as const, "fail" as const, "die" as const), at: fc.nat() }),
      fc.record({ do: fc.constant("remove" as const), at: fc.nat() }),
      fc.record({ do: fc.constant("wait" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const times = new ServiceTimes();
        const queue = new ModelQueue<Item>({ ...bounds, maxQueueMs: 200 }, times);
        const open = new Set<Item>();
        const running: ModelBatch<Item>[] = [];
        let nowMs = 0;
        const end = (...items: Item[]): void => {
          for (const each of items) expect(open.delete(each)).toBe(true);
        };
        const run = (): boolean => {
          end(...queue.expire(nowMs));
          const { batch, givenUp } = queue.next(nowMs, 2);
          expect(givenUp.every(({ deadlineAtMs }) => deadlineAtMs !== Infinity)).toBe(true);
          end(...givenUp);
          if (batch === undefined) return false;
          for (const each of batch.requests) expect(open.has(each)).toBe(true);
          expect(batch.requests.length === 1 || batch.rows <= bounds.maxBatchRows).toBe(true);
          expect(new Set(batch.requests.map(({ key }) => key)).size).toBe(1);
          running.push(batch);
          return true;
        };
        const succeed = (batch: ModelBatch<Item>): void => {
          times.observe(batch.requests[0]?.key ?? "", batch.rows, 1 + 2 * batch.rows, nowMs);
          const wanted = queue.batchSucceeded(batch);
          end(...batch.requests.filter((_, index) => wanted[index]));
        };
        for (const each of steps) {
          if (each.do === "add") {
            const added = item({ key: each.key, rows: each.rows, deadlineAtMs: nowMs + each.inMs });
            if (queue.add(added, nowMs) === undefined) open.add(added);
          } else if (each.do === "next") run();
          else if (each.do === "wait") nowMs += 2;
          else if (each.do === "remove") {
            const gone = [...open][each.at % Math.max(1, open.size)];
            if (gone === undefined) continue;
            end(gone);
            queue.remove(gone);
          } else {
            const [batch] = running.splice(each.at % Math.max(1, running.length), 1);
            if (batch === undefined) continue;
            if (each.do === "succeed") succeed(batch);
            else end(...queue.batchFailed(batch, each.do === "die" ? "died" : "failed"));
          }
          expect(queue.size).toBe(open.size);
          expect(queue.rows).toBeGreaterThanOrEqual(0);
        }
        while (run());
        for (const batch of running) succeed(batch);
        expect([queue.size, open.size, queue.rows, queue.bytes, queue.workMs]).toEqual([0, 0, 0, 0, 0]);
        expect(queue.hasWork).toBe(false);
      }),
    );
  });
});
