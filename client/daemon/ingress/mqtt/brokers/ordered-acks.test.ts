import fc from "fast-check";
import { expect, it } from "vitest";
import { OrderedAcks } from "./ordered-acks.ts";

function rig() {
  const sent: number[] = [];
  const acks = new OrderedAcks<string>(
    (id) => sent.push(id),
    (a, b) => a === b,
  );
  return { sent, acks };
}

it("acknowledges in the order of arrival, whichever is done first", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 6 }), (order) => {
      const { sent, acks } = rig();
      const held = new Map([1, 2, 3, 4, 5, 6].map((id) => [id, acks.arrived(id, `m${id}`)]));
      for (const [index, id] of order.entries()) {
        const one = held.get(id);
        if (one !== undefined) acks.done(one);
        const done = new Set(order.slice(0, index + 1));
        expect(sent).toEqual(
          [1, 2, 3, 4, 5, 6].slice(
            0,
            [1, 2, 3, 4, 5, 6, 7].findIndex((each) => !done.has(each)),
          ),
        );
      }
      expect(acks.size).toBe(0);
    }),
  );
});

it("a message that is delivered again after a break is not started twice, and is acknowledged when it is done", () => {
  const { sent, acks } = rig();
  const first = acks.arrived(1, "a");
  acks.disconnected();
  expect(acks.arrived(1, "a")).toBeUndefined();
  expect(sent).toEqual([]);
  if (first !== undefined) acks.done(first);
  expect(sent).toEqual([1]);
});

it("one that was done when the connection broke is acknowledged as soon as it comes again", () => {
  const { sent, acks } = rig();
  const [stuck, done] = [acks.arrived(1, "a"), acks.arrived(2, "b")];
  if (done !== undefined) acks.done(done);
  acks.disconnected();
  expect(sent).toEqual([]);
  expect(acks.arrived(1, "a")).toBeUndefined();
  expect(acks.arrived(2, "b")).toBeUndefined();
  expect(sent).toEqual([]);
  if (stuck !== undefined) acks.done(stuck);
  expect(sent).toEqual([1, 2]);
});

it("sends nothing on a connection that did not deliver the message", () => {
  const { sent, acks } = rig();
  const held = acks.arrived(1, "a");
  acks.disconnected();
  if (held !== undefined) acks.done(held);
  expect(sent).toEqual([]);
});

it("another message with the same id is a new one", () => {
  const { acks } = rig();
  acks.arrived(1, "a");
  acks.disconnected();
  expect(acks.arrived(1, "b")).toMatchObject({ message: "b", isDone: false });
});

it("without a session of ours at the broker, the same id means nothing", () => {
  const { acks } = rig();
  acks.arrived(1, "a");
  acks.disconnected();
  acks.sessionLost();
  expect(acks.arrived(1, "a")).toMatchObject({ message: "a" });
});

it("a message that the broker repeats within a connection is not started twice", () => {
  const { sent, acks } = rig();
  const held = acks.arrived(1, "a");
  expect(acks.arrived(1, "a")).toBeUndefined();
  if (held !== undefined) acks.done(held);
  expect(sent).toEqual([1]);
});

it("what was not begun before the break is begun when it comes again", () => {
  const { acks } = rig();
  const held = acks.arrived(1, "a");
  acks.disconnected();
  if (held !== undefined) acks.forget(held);
  expect(acks.arrived(1, "a")).toMatchObject({ message: "a" });
});
