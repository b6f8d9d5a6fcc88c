import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { smallDaemon, type SmallDaemonOptions } from "../../../../../test/support/small-daemon.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../../../protocol/tensor.ts";
import { type BrokerLink, PublishRefused } from "../brokers/broker-link.ts";
import { compileRules } from "../rules/compile-rules.ts";
import type { RuleState } from "../rules/compiled-rule.ts";
import { parseMqttConfig } from "../rules/config/read-config.ts";
import type { MqttMessage, Publication } from "../rules/message.ts";
import { Delivery } from "./delivery.ts";
import { RuleCounts } from "./rule-counts.ts";

const metadata = {
  name: "double",
  inputs: [{ name: "x", datatype: "FP32" as const, shape: [-1, 1] }],
  outputs: [{ name: "y", datatype: "FP32" as const, shape: [-1, 1] }],
};

const serve: SmallDaemonOptions["serve"] = ({ inputs }) => {
  const [x] = inputs;
  if (x === undefined) return [];
  return [
    tensorFromNumbers(
      "y",
      "FP32",
      x.shape,
      Array.from(tensorToNumbers(x), (each) => 2 * each),
    ),
  ];
};

const rule = (more = "", name = "double"): string => `
  - name: ${name}
    from: { broker: plant, topic: devices/+ }
    device: topic[1]
    requestId: data.id
    model: double
    inputs: [{ name: x, values: [data.x], shape: [1, 1] }]
    publish: { topic: "results/\${device}", payload: { id: "\${id}", y: "\${outputs.y[0][0]}" } }
${more}`;

interface RigOptions extends Partial<SmallDaemonOptions> {
  readonly rules?: string;
  readonly publish?: (publication: Publication) => Promise<void>;
}

async function rig({ rules = rule(), publish = () => Promise.resolve(), ...options }: RigOptions = {}) {
  const { daemon, queue } = await smallDaemon({ metadata, serve, ...options });
  const published: { topic: string; payload: Record<string, unknown> }[] = [];
  const log: { msg: string; leftOut?: number }[] = [];
  const link = {
    publish: async (publication: Publication) => {
      await publish(publication);
      const payload = JSON.parse(Buffer.from(publication.payload).toString()) as Record<string, unknown>;
      published.push({ topic: publication.topic, payload });
    },
  } as BrokerLink;
  const counts = new RuleCounts((id) => daemon.metrics.isWaiting(id));
  const delivery = new Delivery({
    daemon,
    counts,
    linkOf: () => link,
    onResult: () => {},
    log: pino({}, { write: (line: string) => void log.push(JSON.parse(line) as { msg: string }) }),
  });
  const config = parseMqttConfig(
    `brokers: [{ name: plant, url: mqtt://127.0.0.1 }]\nrules:\n${rules}`,
    "rules",
  );
  const set = compileRules(config, { keyOf: () => undefined, randomBytes: (count) => new Uint8Array(count) });
  counts.keep(set.rules.map(({ id }) => id));
  const states = new Map(set.rules.map((each) => [each.id, each.newState()]));
  delivery.use({ set, stateOf: ({ id }) => states.get(id) as RuleState, ready: () => undefined });
  return { delivery, counts, published, log, queue };
}

function message(payload: unknown, topic = "devices/d1"): MqttMessage {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  const common = { broker: "plant", qos: 1, retain: false, dup: false, properties: {} } as const;
  return { ...common, topic, payload: Buffer.from(text), receivedMs: Date.now() };
}

const endsOf = (counts: RuleCounts) =>
  Object.fromEntries(Array.from(counts.totals(), ({ rule, ends }) => [rule, Object.fromEntries(ends)]));

describe("a message", () => {
  it("may be acknowledged when its result is published, and not before", async () => {
    let publish = (): void => {};
    const { delivery, published, counts } = await rig({
      publish: () => new Promise((resolve) => (publish = resolve)),
    });
    let isDone = false;
    const done = delivery.take(message({ id: "a", x: 4 })).then((each) => (isDone = each));
    await expect.poll(() => counts.sizes().get("double")).toEqual({ preQueue: 0, postQueue: 1 });
    expect(isDone).toBe(false);
    publish();
    expect(await done).toBe(true);
    expect(published).toEqual([{ topic: "results/d1", payload: { id: "a", y: 8 } }]);
    expect(counts.sizes().get("double")).toEqual({ preQueue: 0, postQueue: 0 });
    expect(endsOf(counts)).toEqual({ double: { answered: 1 } });
  });

  it("goes through every rule that takes it, and is done when all results are out", async () => {
    const { delivery, published } = await rig({ rules: rule() + rule("", "twin") });
    expect(await delivery.take(message({ id: "a", x: 1 }))).toBe(true);
    expect(published.length).toBe(2);
  });

  it("waits while the queue is full, and is neither lost nor late for that", async () => {
    const { delivery, published, counts } = await rig({ maxQueuedRows: 2, serviceMs: 30 });
    const all = Array.from({ length: 12 }, (_, x) => delivery.take(message({ id: `m${x}`, x })));
    expect(await Promise.all(all)).toEqual(all.map(() => true));
    expect(new Set(published.map(({ payload }) => payload["id"])).size).toBe(12);
    expect(published.every(({ payload }) => payload["y"] !== undefined)).toBe(true);
    expect(endsOf(counts)).toEqual({ double: { answered: 12 } });
  });

  it("whose request is stuck gets an error result at its deadline, and holds nobody longer", async () => {
    const { delivery, published, counts } = await rig({
      rules: rule("    deadline: 0.05"),
      serviceMs: 2_000,
    });
    expect(await delivery.take(message({ id: "a", x: 1 }))).toBe(true);
    expect(published).toMatchObject([
      { topic: "results/d1", payload: { id: "a", error: { code: "deadline_passed" } } },
    ]);
    expect(endsOf(counts)).toEqual({ double: { failed: 1 } });
  });

  it("that the model refuses gets an error result", async () => {
    const { delivery, published } = await rig({ serve: () => ({ status: 400, error: "no such thing" }) });
    expect(await delivery.take(message({ id: "a", x: 1 }))).toBe(true);
    expect(published).toMatchObject([{ payload: { error: { code: "request_rejected" } } }]);
  });

  it("of a model that nobody knows gets an error result within seconds", async () => {
    const { delivery, published } = await rig({ rules: rule().replace("model: double", "model: other") });
    expect(await delivery.take(message({ id: "a", x: 1 }))).toBe(true);
    expect(published).toMatchObject([{ payload: { error: { code: "model_not_found" } } }]);
  });

  it("whose result the broker refuses is told so, and is done", async () => {
    const { delivery, published, counts, log } = await rig({
      publish: async ({ payload }) => {
        if (!Buffer.from(payload).includes("error")) throw new PublishRefused("Packet too large");
      },
    });
    expect(await delivery.take(message({ id: "a", x: 1 }))).toBe(true);
    expect(published).toMatchObject([{ payload: { error: { code: "answer_rejected" } } }]);
    expect(endsOf(counts)).toEqual({ double: { refused: 1 } });
    expect(log.map(({ msg }) => msg)).toEqual(["a result was refused"]);
  });

  it("is not acknowledged when the daemon stops before the queue has it", async () => {
    const { delivery, published } = await rig({ maxQueuedRows: 1, serviceMs: 50 });
    const first = delivery.take(message({ id: "a", x: 1 }));
    await delay(5);
    const more = Array.from({ length: 4 }, (_, x) => delivery.take(message({ id: `w${x}`, x })));
    await delay(5);
    delivery.retire();
    expect(await first).toBe(true);
    const done = await Promise.all(more);
    expect(done).toContain(false);
    expect(published.length).toBe(1 + done.filter((each) => each).length);
    expect(await delivery.take(message({ id: "late", x: 1 }))).toBe(false);
  });
});

describe("a bad message", () => {
  it.for([
    ["no JSON", "{", "not_json"],
    ["no UTF-8", Buffer.from([0xff, 0xfe]).toString("latin1"), "not_json"],
    ["a missing value", '{"id":"a"}', "missing_point"],
    ["a text for a number", '{"id":"a","x":"1"}', "wrong_type"],
  ])("with %s is counted, answered and done", async ([, payload, reason]) => {
    const { delivery, published, counts } = await rig();
    expect(await delivery.take(message(payload as string))).toBe(true);
    expect(published).toMatchObject([{ payload: { error: { code: reason } } }]);
    expect(Array.from(counts.totals(), ({ bad }) => Object.fromEntries(bad))).toEqual([
      { [reason as string]: 1 },
    ]);
  });

  it("is logged once in a while, however often it comes", async () => {
    const { delivery, log, counts } = await rig();
    for (let times = 0; times < 50; times++) await delivery.take(message("{"));
    expect(log.filter(({ msg }) => msg === "bad message").length).toBe(1);
    expect(endsOf(counts)).toEqual({ double: { bad: 50 } });
  });

  it("that no rule takes is counted and done, without a result", async () => {
    const { delivery, published, counts } = await rig({ rules: rule("    when: data.x > 10") });
    expect(await delivery.take(message({ id: "a", x: 1 }))).toBe(true);
    expect(await delivery.take(message({ id: "a", x: 1 }, "elsewhere"))).toBe(true);
    expect(published).toEqual([]);
    expect(endsOf(counts)).toEqual({ double: { bad: 1 }, none: { bad: 1 } });
  });

  it.for(["#", "+", "$SYS", "a\0b"])("from a device called %j publishes nowhere else", async (device) => {
    const rules = rule().replace("device: topic[1]", "device: data.device");
    const { delivery, published } = await rig({ rules });
    expect(await delivery.take(message({ id: "a", x: 1, device }))).toBe(true);
    for (const { topic } of published) expect(topic).toMatch(/^results\/[^#+$\0/]+$/);
  });
});
