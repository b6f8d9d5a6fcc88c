import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { checkPrices } from "./profile.ts";
import { parseScenario } from "./scenario.ts";

const shared = new URL("../../../shared/data/scenarios/", import.meta.url);

function scenario(change: (draft: Record<string, never>) => void = () => {}): string {
  const link = { rttMs: 2, uplinkMbps: 100 };
  const draft = {
    name: "small",
    notes: "nobody reads this",
    sloMs: 500,
    sloQuantile: 0.99,
    requestBytes: 1_000,
    edge: { replicas: 1, maxBatch: 2, link, serviceMs: { "1": [5], "2": [8] } },
    serverless: {
      link,
      maxInstances: 3,
      idleMs: 1_000,
      coldStartMs: [100],
      prices: "some",
      sizes: [{ name: "a", vcpu: 1, memoryMib: 512, maxBatch: 1, serviceMs: { "1": [20] } }],
    },
  };
  change(draft as never);
  return JSON.stringify(draft);
}

describe("a scenario", () => {
  it("is read with its defaults, and keys of others' are left alone", () => {
    expect(parseScenario(scenario(), "s.json")).toMatchObject({
      name: "small",
      faults: [],
      serverless: { sizes: [{ name: "a", vcpu: 1 }] },
    });
  });

  it.each([
    [(draft: never) => Object.assign(draft, { sloMs: 0 }), /^s\.json:sloMs: /],
    [
      (draft: { edge: object }) => Object.assign(draft.edge, { maxBatch: 3 }),
      /^s\.json:edge\.maxBatch: 3 is above 2/,
    ],
    [
      (draft: { edge: object }) => Object.assign(draft.edge, { serviceMs: { x: [1] } }),
      /^s\.json:edge\.serviceMs/,
    ],
    [(draft: { edge: object }) => Object.assign(draft.edge, { serviceMs: {} }), /no batch size is listed/],
    [
      (draft: { serverless: { sizes: object[] } }) =>
        draft.serverless.sizes.push(draft.serverless.sizes[0] as object),
      /^s\.json:serverless\.sizes: two sizes have one name/,
    ],
    [
      (draft: never) => Object.assign(draft, { faults: [{ kind: "rain", fromMs: 0, toMs: 1 }] }),
      /^s\.json:faults\.0/,
    ],
    [
      (draft: never) => Object.assign(draft, { faults: [{ kind: "throttle", fromMs: 2, toMs: 1 }] }),
      /^s\.json:faults\.0\.toMs: 1 is not above fromMs, which is 2/,
    ],
  ] as const)("that is wrong is refused at the field (%#)", (change, message) => {
    expect(() => parseScenario(scenario(change as never), "s.json")).toThrow(message);
  });

  it("that is no JSON, or only a part of it, is refused at its line", () => {
    expect(() => parseScenario('{\n "name": ?\n}', "s.json")).toThrow(/^s\.json:/);
    expect(() => parseScenario('{\n "name":', "s.json")).toThrow(/^s\.json:2:9: /);
  });

  it("whose sizes have no price is refused", () => {
    const head = { name: "cu", currency: "CNY", validFrom: "2026-01-01", source: "made up" };
    const sheet: PriceSheet = {
      ...head,
      kind: "cu",
      perCu: 1,
      cuPerCall: 1,
      cuPerVcpuS: 1,
      cuPerGibS: 1,
      granularityMs: { cpu: 1 },
    };
    const check = (change: object): void =>
      checkPrices(
        parseScenario(
          scenario((draft) =>
            Object.assign(
              (draft as unknown as { serverless: { sizes: object[] } }).serverless.sizes[0] as object,
              change,
            ),
          ),
          "s.json",
        ),
        sheet,
        "s.json",
      );
    expect(() => check({})).not.toThrow();
    expect(() => check({ vcpu: undefined })).toThrow(/^s\.json:serverless\.sizes\.0: no vcpu/);
    expect(() => check({ gpu: { card: "ada", memoryGib: 1 } })).toThrow(/no GPU card "ada"/);
  });
});

/** Scenarios of forms that are not read yet. */
const severalEdgesOrLanes = new Set(["lanes.json", "two-edges.json", "two-edges-fault.json"]);

describe.skipIf(!existsSync(shared))("the shared scenarios (skipped where ../shared is absent)", () => {
  it("are all read", () => {
    const files = readdirSync(shared).filter((file) => !severalEdgesOrLanes.has(file));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const text = readFileSync(new URL(file, shared), "utf8");
      expect(parseScenario(text, file).serverless.sizes.length).toBeGreaterThan(0);
    }
  });
});
