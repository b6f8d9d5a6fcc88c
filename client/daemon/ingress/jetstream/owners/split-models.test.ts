import { expect, it } from "vitest";
import { type OwnerOffer, shareOut, type Split } from "../../../../targets/share-out.ts";
import type { ListedTarget, TargetChanges } from "../../../targets/target-changes.ts";
import type { ModelOwners } from "../request-bus.ts";
import { edgeIdOf, SplitModels } from "./split-models.ts";

type IsLeft = Parameters<TargetChanges["leave"]>[0];

function edgeTarget(name: string, given: Partial<ListedTarget> = {}): ListedTarget {
  const facts = { kind: "edge", state: "serving", source: "joined", health: "healthy" } as const;
  return { ...facts, name, url: `nats:${name}/1`, models: ["ocr"], ...given };
}

/** A daemon "a" beside others, whose offers are given. */
function rig(
  targets: readonly ListedTarget[],
  others: readonly OwnerOffer[] = [],
  wanted = new Map<string, number>(),
) {
  let isLeft: IsLeft = () => false;
  let split: Split | undefined;
  const [changed, warned, splits]: [(() => void)[], string[], [string, number][]] = [[], [], []];
  const owners: ModelOwners = {
    name: "a",
    split: async (model, count) => void splits.push([model, count]),
    splitOf: () => split,
    sharesOf: (model) =>
      split && shareOut(model, split, [{ name: "a", edges: models.edgesFor(model)() }, ...others]),
    onChange: (listener) => {
      changed.push(listener);
      return () => {};
    },
  };
  const models = new SplitModels({
    owners,
    targets: { listed: () => targets, leave: (given) => void (isLeft = given) },
    wanted,
    replicas: (url) => (url === "nats:x/1" ? 3 : undefined),
    log: { info: () => {}, warn: (...said: unknown[]) => void warned.push(String(said.at(-1))) },
  });
  return {
    models,
    warned,
    splits,
    split: (owned: number) => {
      split = { owners: owned, parts: 4 * owned };
      for (const tell of changed) tell();
    },
    left: (model = "ocr") =>
      targets.filter((each) => isLeft({ name: each.name, url: each.url ?? "" }, model)),
  };
}

const both = ["nats:x/1", "nats:y/1"];
const other: OwnerOffer = { name: "b", edges: new Map(both.map((edge) => [edge, 1])) };

it("leaves an edge to its other owner for the model that has several, and for no other model", () => {
  const { models, split, left } = rig([edgeTarget("x"), edgeTarget("y")], [other]);
  expect(left()).toEqual([]);
  split(2);
  expect(left().length).toBe(1);
  expect(models.held(["ocr"])).toMatchObject([{ owners: 2, edges: 1 }]);
});

it("leaves nothing to others while it owns nothing, so that what is in work finds an edge", () => {
  const { split, left } = rig([edgeTarget("x", { state: "measuring" })], [other]);
  split(2);
  expect(left()).toEqual([]);
});

it("offers edges that list the model and serve, with their replicas, and no functions", () => {
  const { models } = rig([
    edgeTarget("x"),
    edgeTarget("y", { models: ["other"] }),
    edgeTarget("z", { state: "leaving" }),
    edgeTarget("f", { kind: "serverless" }),
    edgeTarget("p", { health: "paused", url: "http://box:8000" }),
  ]);
  expect([...models.edgesFor("ocr")()]).toEqual([
    ["nats:x/1", 3],
    ["http://box:8000", 1],
  ]);
});

it("says once how many owners a model is to have, and warns where another daemon said otherwise", () => {
  const wanted = new Map([
    ["ocr", 2],
    ["*", 3],
  ]);
  const { models, split, splits, warned } = rig([], [], wanted);
  for (const model of ["ocr", "ocr", "asr", "asr/versions/2"]) models.serves(model);
  expect(splits).toEqual([
    ["ocr", 2],
    ["asr", 3],
  ]);
  expect(warned).toEqual([]);
  split(4);
  models.serves("tts");
  expect(warned).toEqual([expect.stringContaining("that of the daemon that started last")]);
});

it("knows an edge by its address, and one on the machine itself by the machine's name as well", () => {
  expect(edgeIdOf("http://box:8000", "plant")).toBe("http://box:8000");
  for (const url of ["http://127.0.0.1:8000", "grpc://localhost:8001", "http://[::1]:8000"])
    expect(edgeIdOf(url, "plant")).toBe(`${url} of plant`);
});
