import { afterEach, expect, it } from "vitest";
import { LateSubscribers } from "./late-subscribers.ts";

let nowMs = 0;
let late: LateSubscribers;
afterEach(() => late.stop());

function rig(mostBytes = 1_000) {
  nowMs = 0;
  late = new LateSubscribers({ settleMs: 60_000, holdMs: 3_000, mostBytes, nowMs: () => nowMs });
  late.start();
  const published: string[] = [];
  const told: string[] = [];
  const deliver = (topic: string, bytes = 10): void => {
    const publish = async (): Promise<void> => void published.push(topic);
    void late.deliver(topic, bytes, publish).then(() => told.push(topic));
  };
  return { published, told, deliver };
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

it("a result goes out at once where somebody is subscribed", async () => {
  const { published, told, deliver } = rig();
  late.subscribed("d", ["results/+"]);
  deliver("results/d");
  await soon();
  expect([published, told]).toEqual([["results/d"], ["results/d"]]);
});

it("after the start it waits for its subscriber, and its device with it", async () => {
  const { published, told, deliver } = rig();
  deliver("results/d");
  late.subscribed("other", ["elsewhere/#"]);
  await soon();
  expect([published, told]).toEqual([[], []]);
  late.subscribed("d", ["results/d"]);
  await soon();
  expect([published, told]).toEqual([["results/d"], ["results/d"]]);
});

it("a device that subscribes only when everything is acknowledged is told, and gets its result then", async () => {
  const { published, told, deliver } = rig();
  nowMs = 2_000;
  late.connected();
  deliver("results/d");
  nowMs = 4_000;
  await soon();
  expect(told).toEqual([]);
  nowMs = 5_001;
  deliver("results/d");
  await soon();
  expect([published, told]).toEqual([[], ["results/d", "results/d"]]);
  late.subscribed("d", ["results/d"]);
  await soon();
  expect(published).toEqual(["results/d", "results/d"]);
});

it("once everybody had the time to come back, nothing waits", async () => {
  const { published, deliver } = rig();
  deliver("results/early");
  nowMs = 60_000;
  deliver("results/late");
  await soon();
  expect(new Set(published)).toEqual(new Set(["results/early", "results/late"]));
});

it("nothing waits that there is no room for", async () => {
  const { published, deliver } = rig(25);
  deliver("a");
  deliver("b");
  deliver("c");
  await soon();
  expect(published).toEqual(["c"]);
});
