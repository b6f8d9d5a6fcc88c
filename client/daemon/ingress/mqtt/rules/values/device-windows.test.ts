import fc from "fast-check";
import { expect, it } from "vitest";
import {
  compiledRule,
  faultOf,
  numbersIn,
  plantMessage,
  requestFor,
  requestIn,
} from "../../../../../../test/support/mqtt-rules.ts";

const windowed = (more: object = {}, input: object = {}) =>
  compiledRule({
    device: "data.d",
    inputs: [{ name: "x", values: ["data.a", "data.b"], window: 3, ...input }],
    ...more,
  });
const step = (a: number, more: object = {}, d = "press-2") => plantMessage({ d, a, b: -a, n: a }, more);

it("sends nothing until a device has a whole window, then its last values with the oldest first", () => {
  const rule = windowed();
  const state = rule.newState();
  expect(rule.request(step(1), state)).toEqual({ kind: "waiting", have: 1, need: 3 });
  expect(rule.request(step(2), state)).toEqual({ kind: "waiting", have: 2, need: 3 });
  const full = requestFor(rule, step(3), state);
  expect([full.inputs[0]?.shape, numbersIn(full)]).toEqual([
    [1, 3, 2],
    [1, -1, 2, -2, 3, -3],
  ]);
  expect(numbersIn(requestFor(rule, step(4), state))).toEqual([2, -2, 3, -3, 4, -4]);
  expect(rule.request(step(9, {}, "press-3"), state)).toMatchObject({ have: 1 });
  expect(state.devices).toBe(2);
});

it("orders a window by value, and takes other inputs from the last message", () => {
  const inputs = [
    { name: "x", values: ["data.a", "data.b"], window: 2, windowOrder: "values-first" },
    { name: "now", values: ["data.a"] },
    { name: "long", values: ["data.a"], window: 3, shape: [3] },
  ];
  const rule = compiledRule({ device: "data.d", inputs });
  const state = rule.newState();
  for (const a of [1, 2]) expect(rule.request(step(a), state).kind).toBe("waiting");
  const request = requestFor(rule, step(3), state);
  expect([numbersIn(request, 0), numbersIn(request, 1), numbersIn(request, 2)]).toEqual([
    [2, 3, -2, -3],
    [3],
    [1, 2, 3],
  ]);
  expect(request.inputs.map(({ shape }) => shape)).toEqual([[1, 2, 2], [1, 1], [3]]);
});

it("counts a message once, however often it is asked about or delivered", () => {
  const rule = windowed();
  const state = rule.newState();
  const first = step(1);
  expect(rule.request(first, state)).toEqual(rule.request(first, state));
  rule.request(step(2), state);
  expect(rule.request(step(2, { dup: true }), state)).toMatchObject({ kind: "waiting", have: 2 });
  const third = requestFor(rule, step(3), state);
  rule.request(step(4), state);
  expect(requestFor(rule, step(3, { dup: true }), state)).toEqual(third);
  // The same values in a message of its own are another step.
  expect(numbersIn(requestFor(rule, step(4), state))).toEqual([3, -3, 4, -4, 4, -4]);
});

it("tells messages apart by what the rule says", () => {
  const rule = windowed({ windows: { same: "data.n" } });
  const state = rule.newState();
  rule.request(step(1), state);
  expect(rule.request(step(1), state)).toMatchObject({ have: 1 });
  expect(rule.request(step(2), state)).toMatchObject({ have: 2 });
  expect(faultOf(rule, plantMessage({ d: "press-2", a: 1, b: 1 }))).toMatch(/^missing_point: data\.n/);
});

it("keeps a bad message out of the window", () => {
  const rule = windowed({}, { datatype: "UINT8" });
  const state = rule.newState();
  const at = (a: unknown) => rule.request(plantMessage({ d: "press-2", a, b: 0 }), state);
  expect(at(1)).toMatchObject({ have: 1 });
  expect(at(300)).toMatchObject({ kind: "bad", fault: { reason: "out_of_range" } });
  expect(at("2")).toMatchObject({ kind: "bad", fault: { reason: "wrong_type" } });
  expect(at(2)).toMatchObject({ have: 2 });
  expect(numbersIn(requestIn(at(3)))).toEqual([1, 0, 2, 0, 3, 0]);
});

it("lets no window span a standstill", () => {
  const rule = windowed({ windows: { maxAge: 60 } });
  const state = rule.newState();
  const at = (a: number, s: number) => rule.request(step(a, { receivedMs: s * 1_000 }), state);
  at(1, 0);
  at(2, 30);
  expect(at(3, 100)).toMatchObject({ kind: "waiting", have: 1 });
  expect(at(4, 120)).toMatchObject({ kind: "waiting", have: 2 });
  expect(at(5, 140).kind).toBe("request");
});

it("forgets the device that was silent longest", () => {
  const rule = windowed({ windows: { mostDevices: 2 } });
  const state = rule.newState();
  rule.request(step(1, {}, "a"), state);
  rule.request(step(1, {}, "b"), state);
  rule.request(step(2, {}, "a"), state);
  rule.request(step(1, {}, "c"), state);
  expect([state.devices, state.forgotten]).toEqual([2, 1]);
  expect(rule.request(step(3, {}, "a"), state).kind).toBe("request");
  expect(rule.request(step(2, {}, "b"), state)).toMatchObject({ have: 1 });
});

it("keeps within its bounds, and gives the last values of each device, whatever comes", () => {
  const messages = fc.array(
    fc.record({
      d: fc.constantFrom("a", "b", "c", "__proto__", "压机2"),
      a: fc.integer({ min: -99, max: 99 }),
      dup: fc.boolean(),
    }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(messages, fc.integer({ min: 1_024, max: 20_000 }), (given, mostBytes) => {
      const rule = windowed({ windows: { mostDevices: 3, mostBytes } });
      const state = rule.newState();
      const lasts = new Map<string, number[]>();
      for (const { d, a } of given) {
        const forgotten = state.forgotten;
        const built = rule.request(step(a, {}, d), state);
        expect(state.bytes).toBeLessThanOrEqual(mostBytes);
        expect(state.devices).toBeLessThanOrEqual(3);
        const last = [...(lasts.get(d) ?? []), a].slice(-3);
        lasts.set(d, last);
        if (state.forgotten > forgotten) lasts.clear();
        if (built.kind === "request") {
          const own = numbersIn(built.request).filter((_, index) => index % 2 === 0);
          expect(own.slice(-last.length)).toEqual(last);
        }
      }
    }),
    { numRuns: 60 },
  );
});
