import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { type MessageFacts, payloadTemplate } from "./payload-template.ts";
import { readRecordedValues } from "./recorded-values.ts";
import { resultReader } from "./result-reader.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-recorded-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const facts = (more: Partial<MessageFacts> = {}): MessageFacts => {
  return { id: "r-7", device: "d1", n: 7, nowMs: 1_000.4, random: seededRandom(1), recorded: {}, ...more };
};

it("fills in who sends what, and leaves the rest as it is", () => {
  const template = payloadTemplate('{"id":"${id}","d":"${device}","n":${ n },"at":${now},"x":{}}');
  expect(JSON.parse(template(facts()))).toEqual({ id: "r-7", d: "d1", n: 7, at: 1_000, x: {} });
});

it("draws numbers from their range, and words from a list, the same for the same seed", () => {
  const template = payloadTemplate('[${random(20,30)},${int(1,3)},"${pick(on, off)}","${filler(5)}"]');
  const draw = (): unknown[] => {
    const random = seededRandom(9);
    return Array.from({ length: 200 }, () => JSON.parse(template(facts({ random }))) as unknown);
  };
  const drawn = draw() as [number, number, string, string][];
  expect(drawn).toEqual(draw());
  for (const [real, whole, word, filler] of drawn) {
    expect(real).toBeGreaterThanOrEqual(20);
    expect(real).toBeLessThanOrEqual(30);
    expect([1, 2, 3]).toContain(whole);
    expect(["on", "off"]).toContain(word);
    expect(filler).toBe("xxxxx");
  }
  expect(new Set(drawn.map(([, whole]) => whole)).size).toBe(3);
});

it.for([
  ["${nmae}", /\$\{nmae\} is not known; allowed: \$\{id\}/],
  ["${random(3,1)}", /allowed: two numbers, the lesser first/],
  ["${filler(-1)}", /allowed: a whole number from 0/],
  ["${recorded.tmp}", /have no column "tmp"; allowed: temp.*did you mean/],
] as const)("refuses %s with what is allowed", ([text, why]) => {
  expect(() => payloadTemplate(text, ["temp"])).toThrow(why);
});

it("sends the rows of a file in turn", () => {
  const path = join(folder, "day.csv");
  writeFileSync(path, 'temp,name\n20.5,"a, b"\n21,c\n\n');
  const values = readRecordedValues(path);
  const template = payloadTemplate("${recorded.temp} ${recorded.name}", values.columns);
  const sent = [0, 1, 2].map((n) => template(facts({ recorded: values.row(n) })));
  expect(sent).toEqual(["20.5 a, b", "21 c", "20.5 a, b"]);
});

it("refuses a file without values", () => {
  const path = join(folder, "empty.csv");
  writeFileSync(path, "temp\n");
  expect(() => readRecordedValues(path)).toThrow(/empty.csv: it has no values/);
});

it.for([
  ["id", '{"id":"a-1","y":2}', { id: "a-1" }],
  ["request.id", '{"request":{"id":7}}', { id: "7" }],
  [
    "id",
    '{"id":"a-1","error":{"code":"not_json","text":"no"}}',
    { id: "a-1", error: "error result: not_json" },
  ],
  ["id", '{"y":2}', {}],
  ["id", "no JSON", {}],
  ["__proto__.id", "{}", {}],
] as const)("reads at %s of %s whose result it is", ([path, payload, found]) => {
  expect(resultReader(path)(Buffer.from(payload))).toEqual(found);
});
