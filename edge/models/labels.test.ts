import { describe, expect, it } from "vitest";
import { parseLabels } from "./labels.ts";

const animals = ["cat", "dog", "guinea pig, wild"];

describe("labels", () => {
  it.each([
    ["a name a line", "a.txt", "cat\ndog\nguinea pig, wild\n"],
    ["lines of Windows behind a byte order mark", "a.txt", "\uFEFFcat\r\ndog\r\nguinea pig, wild\r\n\r\n"],
    ["lines in quotes", "a.txt", `"cat"\n"dog",\n"guinea pig, wild"`],
    ["a number and a space", "a.txt", "0 cat\n1 dog\n2 guinea pig, wild\n"],
    ["a number and a comma", "a.csv", "0,cat\n1,dog\n2,guinea pig, wild\n"],
    ["a number and a name in quotes", "a.csv", `0,"cat"\n1,"dog"\n2,"guinea pig, wild"\n`],
    ["a table with a head", "a.csv", `id,name\n0,cat\n1,dog\n2,"guinea pig, wild"\n`],
    ["a number and a colon, in another order", "a.txt", "2: guinea pig, wild\n0: cat\n1: dog\n"],
    ["a number behind the name", "a.csv", `cat,0\ndog,1\n"guinea pig, wild",2\n`],
    ["a list in JSON", "a.json", JSON.stringify(animals)],
    ["a map in JSON, whatever the file's name", "a.txt", `{"0": "cat", "1": "dog", "2": "guinea pig, wild"}`],
    ["a map from names", "a.json", `{"cat": 0, "dog": 1, "guinea pig, wild": 2}`],
    [
      "ImageNet's index",
      "a.json",
      `{"0": ["n1", "cat"], "1": ["n2", "dog"], "2": ["n3", "guinea pig, wild"]}`,
    ],
    ["a model's config.json", "a.json", `{"id2label": {"0": "cat", "1": "dog", "2": "guinea pig, wild"}}`],
    ["a data.yaml", "a.yaml", "nc: 3\nnames:\n  0: cat\n  1: dog\n  2: guinea pig, wild\n"],
  ])("are read as %s", (_, file, text) => {
    expect(parseLabels(text, file)).toEqual(animals);
  });

  it("keep lines as they are where not all have a number, or numbers do not count classes", () => {
    expect(parseLabels("7 wood\niron\n", "a.txt")).toEqual(["7 wood", "iron"]);
    expect(parseLabels("2 doors\n4 doors\n", "a.txt")).toEqual(["2 doors", "4 doors"]);
    expect(parseLabels("0\n1\n2\n", "a.txt")).toEqual(["0", "1", "2"]);
    expect(parseLabels("[\n{\n\"\n'\n0\n", "characters.txt")).toEqual(["[", "{", '"', "'", "0"]);
  });

  it("leave numbers without a name empty", () => {
    expect(parseLabels(`{"1": "person", "3": "car"}`, "a.json")).toEqual(["", "person", "", "car"]);
  });

  it.each([
    ["0 cat\n0 dog\n", "a.txt: class 0 is there twice"],
    [`{"a": {"b": 1}}`, "a.txt: allowed: a list of names, or a map of numbers and names"],
    [`{"99999999": "x"}`, "a.txt: class 99999999; allowed: 0 to 999999"],
  ])("are refused as %j", (text, message) => {
    expect(() => parseLabels(text, "a.txt")).toThrow(message);
  });
});
