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

const edgeSpec = {
  replicas: 1,
  maxBatch: 2,
  link: { rttMs: 2, uplinkMbps: 100 },
  serviceMs: { "1": [5], "2": [8] },
};

/** A scenario with edges of these names in place of the one. */
function withEdges(names: readonly (string | undefined)[], change: object = {}, ofEdge: object = {}): string {
  const edges = names.map((name) => ({ ...edgeSpec, ...ofEdge, name }));
  return scenario((draft) => Object.assign(draft, { edge: undefined, edges, ...change }));
}

function faultAt(edge: string): object {
  return { faults: [{ kind: "edge-down", fromMs: 0, toMs: 1, edge }] };
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

  it("has one edge that need not be named, or a list of edges that are", () => {
    expect(parseScenario(scenario(), "s.json").edges).toMatchObject([{ name: "edge", replicas: 1 }]);
    const { edges, faults } = parseScenario(withEdges(["near", "far"], faultAt("far")), "s.json");
    expect(edges.map(({ name, service }) => [name, service.maxRows])).toEqual([
      ["near", 2],
      ["far", 2],
    ]);
    expect(faults).toEqual([{ kind: "edge-down", fromMs: 0, toMs: 1, edge: "far" }]);
  });

  it.each([
    [
      "both",
      withEdges(["near"], { edge: edgeSpec }),
      "s.json:edge, edges: both are there; allowed: one of them",
    ],
    [
      "neither",
      withEdges([], { edges: undefined }),
      "s.json:edge, edges: neither is there; allowed: one of them",
    ],
    ["an empty list", withEdges([]), /^s\.json:edges: /],
    ["an edge without a name", withEdges([undefined]), /^s\.json:edges\.0\.name: /],
    ["two edges of one name", withEdges(["near", "near"]), 's.json:edges.1.name: two edges are "near"'],
    [
      "a size that is called as an edge is",
      withEdges(["near", "a"]),
      's.json:serverless.sizes.0.name: no size may be called "a", as an edge is',
    ],
    [
      "a fault at an edge that is not there",
      withEdges(["near", "far"], faultAt("middle")),
      's.json:faults.0.edge: "middle" is no edge; allowed: near, far',
    ],
    [
      "a fault of the functions' link that names an edge",
      withEdges(["near"], {
        faults: [{ kind: "link-slow", target: "serverless", factor: 2, fromMs: 0, toMs: 1, edge: "near" }],
      }),
      's.json:faults.0.edge: allowed with the target "edge" only',
    ],
    [
      "throttling that names an edge",
      withEdges(["near"], { faults: [{ kind: "throttle", fromMs: 0, toMs: 1, edge: "near" }] }),
      /^s\.json:faults\.0\.edge: allowed on other faults only/,
    ],
    [
      "a lane without an SLO",
      withEdges(["near"], { lanes: { bulk: { sloQuantile: 0.99 } } }),
      /^s\.json:lanes\.bulk\.sloMs: /,
    ],
    [
      "a lane whose quantile is above 1",
      withEdges(["near"], { lanes: { bulk: { sloMs: 1, sloQuantile: 99 } } }),
      /^s\.json:lanes\.bulk\.sloQuantile: /,
    ],
    ["a lane without a name", withEdges(["near"], { lanes: { "": { sloMs: 1 } } }), /^s\.json:lanes\.?: /],
    [
      "an edge of the list with wrong times",
      withEdges(["near", "far"], {}, { maxBatch: 3 }),
      "s.json:edges.0.maxBatch: 3 is above 2, the last size that has service times",
    ],
  ])("with %s is refused at the field", (_, text, message) => {
    expect(() => parseScenario(text, "s.json")).toThrow(message);
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

describe.skipIf(!existsSync(shared))("the shared scenarios (skipped where ../shared is absent)", () => {
  it("are all read", () => {
    const files = readdirSync(shared);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const text = readFileSync(new URL(file, shared), "utf8");
      const { edges, serverless } = parseScenario(text, file);
      expect(serverless.sizes.length).toBeGreaterThan(0);
      expect(edges.length).toBe(file.startsWith("two-edges") ? 2 : 1);
    }
  });
});
