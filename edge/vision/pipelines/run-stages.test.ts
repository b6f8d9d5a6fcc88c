import { describe, expect, it } from "vitest";
import { bytesOfElements } from "../../../protocol/bytes-elements.ts";
import { tensorFromStrings, tensorToStrings } from "../../../protocol/tensor.ts";
import { type PipelineConfig, pipelineConfig } from "./pipeline-config.ts";
import { type StageCall, pick, runStages, type Value, type Values } from "./run-stages.ts";

const value = (text: string, content?: string): Value => ({
  tensor: tensorFromStrings("v", [1], [text]),
  ...(content !== undefined && { content }),
});
const textOf = ({ tensor }: Value) => tensorToStrings(tensor)[0] as string;
const row: Values = new Map([["image", value("page")]]);

function stagesOf(stages: unknown[]): PipelineConfig["stages"] {
  return pipelineConfig.parse({ stages, outputs: { image: "image" } }).stages;
}

describe("a row on its way through stages", () => {
  it("goes from an encoder to a decoder", async () => {
    const stages = stagesOf([
      { name: "encode", model: "e", inputs: { x: "image" } },
      { name: "decode", model: "d", inputs: { x: "encode.y" } },
    ]);
    const call: StageCall = async (stage, values) =>
      new Map([
        [
          "y",
          value(`${stage.name}(${textOf(pick("model" in stage ? (stage.inputs["x"] ?? []) : [], values))})`),
        ],
      ]);
    const [end] = await runStages(stages, row, call);
    expect(textOf(pick("decode.y", end as Values))).toBe("decode(encode(page))");
  });

  it("is spread into items, of which only those that need a stage go through it", async () => {
    const called: string[] = [];
    const call: StageCall = async (stage, values) => {
      called.push(
        `${stage.name} ${values.has("item.number") ? textOf(pick("item.number", values)) : ""}`.trim(),
      );
      if (stage.name === "find") {
        const pieces = bytesOfElements(["a", "b", "c"].map((text) => new TextEncoder().encode(text)));
        const list = { name: "v", datatype: "BYTES", shape: [1], data: bytesOfElements([pieces]) } as const;
        return new Map([
          ["numbers", value("[1, 2, 3]", "json")],
          ["pieces", { tensor: list, content: "list" }],
        ]);
      }
      return new Map([["label", value(textOf(pick("item.number", values)) === "2" ? "bad" : "good")]]);
    };
    const stages = stagesOf([
      { name: "find", model: "f", inputs: { x: "image" } },
      { name: "item", spread: { number: "find.numbers", piece: "find.pieces" } },
      { name: "judge", model: "j", inputs: { x: "item.piece" } },
      { name: "mend", model: "m", inputs: { x: "item.piece" }, when: { column: "judge.label", is: "bad" } },
    ]);
    const ends = await runStages(stages, row, call);
    expect(ends.map((end) => [textOf(pick("item.piece", end)), end.has("mend.label")])).toEqual([
      ["a", false],
      ["b", true],
      ["c", false],
    ]);
    expect(called.sort()).toEqual(["find", "judge 1", "judge 2", "judge 3", "mend 2"]);
  });

  it("has at most 32 items under way at once", async () => {
    let open = 0;
    let most = 0;
    const call: StageCall = async (stage) => {
      if (stage.name === "find") return new Map([["all", value(JSON.stringify(Array(100).fill(0)), "json")]]);
      most = Math.max(most, ++open);
      await Promise.resolve();
      open--;
      return new Map();
    };
    const stages = stagesOf([
      { name: "find", model: "f", inputs: { x: "image" } },
      { name: "item", spread: { it: "find.all" } },
      { name: "use", model: "u", inputs: { x: "item.it" } },
    ]);
    expect(await runStages(stages, row, call)).toHaveLength(100);
    expect(most).toBe(32);
  });

  it("is refused lists of different lengths, and what is no list", async () => {
    const spread = (a: Value, b: Value) =>
      runStages(
        pipelineConfig.parse({
          inputs: { a: { datatype: "BYTES", shape: [-1] }, b: { datatype: "BYTES", shape: [-1] } },
          stages: [{ name: "item", spread: { a: "a", b: "b" } }],
          outputs: {},
        }).stages,
        new Map([
          ["a", a],
          ["b", b],
        ]),
        async () => new Map(),
      );
    await expect(spread(value("[1]", "json"), value("[1, 2]", "json"))).rejects.toThrow(
      /lists have 1 and 2 items/,
    );
    await expect(spread(value("[1]", "json"), value("text"))).rejects.toThrow(/not a list/);
  });
});

describe("the settings of a pipeline", () => {
  const issues = (stages: unknown[], outputs: unknown = {}) =>
    pipelineConfig.safeParse({ stages, outputs }).error?.issues.map(({ message }) => message);

  it("name only what comes before, each name once, and one spread", () => {
    const first = { name: "a", model: "m", inputs: { x: "image" } };
    expect(issues([first], { y: "a.y" })).toBeUndefined();
    expect(issues([{ ...first, inputs: { x: "b.y" } }])).toEqual(['stage a takes "b.y"; allowed: image']);
    expect(issues([first, first])).toEqual(['the name "a" is used twice; allowed: different names']);
    expect(issues([first], { y: "c.y" })).toEqual(['output y takes "c.y"; allowed: image, a']);
    const spreads = ["s", "t"].map((name) => ({ name, spread: { v: "a.y" } }));
    expect(issues([first, ...spreads])).toEqual(["there is more than one spread; allowed: one"]);
  });
});
