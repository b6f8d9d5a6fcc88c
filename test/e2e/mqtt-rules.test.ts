/** The commands for MQTT rules, and the requests that rules make, before a real edge server. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, vi } from "vitest";
import type { runCommandLine as RunCommandLine } from "../../cli/command-line.ts";
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { startEdge } from "../contract/running-edge.ts";
import { adminTokenHere } from "../support/admin-token.ts";
import {
  compiledRules,
  jsonIn,
  plantMessage,
  publicationFor,
  requestFor,
  ruleFile,
} from "../support/mqtt-rules.ts";
import { heatOfPress, pressMessage, pressRules, writePressModels } from "../support/press-models.ts";

const examples = fileURLToPath(new URL("../../examples/mqtt/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spillway-mqtt-rules-"));

const built = new URL("../../dist/cli/command-line.js", import.meta.url).href;
const { runCommandLine } = (await import(built)) as { readonly runCommandLine: typeof RunCommandLine };

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command in this process, because each process takes a second on a busy machine. */
async function spillway(...args: string[]): Promise<Ended> {
  let [stdout, stderr] = ["", ""];
  const out = vi
    .spyOn(process.stdout, "write")
    .mockImplementation((text) => ((stdout += String(text)), true));
  const err = vi
    .spyOn(process.stderr, "write")
    .mockImplementation((text) => ((stderr += String(text)), true));
  try {
    const code = await runCommandLine(args);
    return { code, stdout, stderr };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

it("says what each rule of the example would do with its message", async () => {
  const [rules, message] = [join(examples, "rules.yaml"), join(examples, "press-2.json")];
  const sample = ["--message", message, "--topic", "plant/3/data"];
  const { code, stdout } = await spillway("mqtt", "check", rules, ...sample);
  expect(code).toBe(0);
  expect(stdout).toContain("1 broker, 2 rules; no faults");
  expect(stdout).toMatch(/wear: takes it\n[^]*input {6}message {2}BYTES\[1\]/);
  expect(stdout).toMatch(/heat: takes it, and sends nothing until it has 4 messages[^]*x {2}FP32\[1,4,3\]/);
  expect(stdout).toContain("results/press-2/heat at plant, QoS 1, retained");
  const asJson = await spillway("mqtt", "check", rules, ...sample, "--json");
  expect(JSON.parse(asJson.stdout)).toMatchObject({
    tried: [
      { rule: "wear", verdict: "takes", model: "wear", deadlineMs: 2_000 },
      { rule: "heat", verdict: "waits", window: 4 },
    ],
  });
});

it("ends with 1 where no rule takes the sample, and says why, and with 2 where the file is wrong", async () => {
  const rules = fileOf(
    "rules.yaml",
    ruleFile([{ when: "data.x > 3 && data.y == 1" }, { when: "data.x == 1" }]),
  );
  const passed = await spillway(
    "mqtt",
    "check",
    rules,
    "--topic",
    "in/a",
    "--message",
    fileOf("a.json", '{"x":5}'),
  );
  expect([passed.code, passed.stdout]).toEqual([
    1,
    expect.stringMatching(/not met: data\.y == 1[^]*not met: data\.x == 1/),
  ]);
  const bad = await spillway("mqtt", "check", rules, "--topic", "in/a", "--message", fileOf("b.json", "{"));
  expect([bad.code, bad.stdout]).toEqual([
    1,
    expect.stringMatching(/bad message, not_json: [^]*error result/),
  ]);
  const other = await spillway(
    "mqtt",
    "check",
    rules,
    "--topic",
    "elsewhere",
    "--message",
    fileOf("c.json", "{}"),
  );
  expect([other.code, other.stdout]).toEqual([
    1,
    expect.stringContaining("it is subscribed to in/# at plant"),
  ]);
  const untried = await spillway("mqtt", "check", rules, "--message", fileOf("d.json", "{}"));
  expect([untried.code, untried.stdout]).toEqual([1, expect.stringContaining("has wildcards; give --topic")]);
  const wrong = await spillway("mqtt", "check", fileOf("wrong.yaml", "brokers: []\nruls: []"));
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringMatching(/wrong\.yaml:1:1: brokers[^]*did you mean "rules"/),
  ]);
  const missing = await spillway("mqtt", "check", join(folder, "nothing.yaml"));
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("nothing.yaml: no such file")]);
});

it("writes converted rules to stdout or to a new file, and what is lost to stderr", async () => {
  const old = fileOf(
    "old.yaml",
    `mqtts: [{ name: p, broker: "tcp://127.0.0.1:1883" }]
funcs: [{ modelName: m, devices: [{ deviceAttr: [{ attrName: d, attrValue: a, attrExpression: "== data_to_dict['d']" }] }] }]
rules: [{ sub: { name: p, topic: in }, pub: { name: p, topic: out } }]
expose: []
`,
  );
  const { code, stdout, stderr } = await spillway("mqtt", "convert", old);
  expect([code, stdout, stderr]).toEqual([
    0,
    expect.stringContaining('"a" == data.d'),
    expect.stringMatching(/old\.yaml: expose: /),
  ]);
  const out = join(folder, "new.yaml");
  expect((await spillway("mqtt", "convert", old, "--out", out)).code).toBe(0);
  expect(readFileSync(out, "utf8")).toBe(stdout);
  expect((await spillway("mqtt", "check", out)).code).toBe(0);
  const again = await spillway("mqtt", "convert", old, "--out", out);
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("is there already")]);
});

it("tells a wrong word after mqtt from a right one", async () => {
  const { code, stderr } = await spillway("mqtt", "chek");
  expect([code, stderr]).toEqual([2, expect.stringContaining("Did you mean check?")]);
});

it("has one message answered by a handler and by an ONNX file from a zip", async () => {
  const models = writePressModels();
  const edge = await startEdge("--models", models.repository);
  try {
    const set = compiledRules(pressRules(models, { broker: "plant", topic: "plant/data" }));
    for (const { model } of set.rules) {
      if (model.zip === undefined) continue;
      const loaded = await fetch(`${edge.url}/v2/repository/models/${model.name}/load`, {
        method: "POST",
        headers: { authorization: `Bearer ${adminTokenHere()}`, "content-type": "application/json" },
        body: JSON.stringify({ parameters: { spillway_zip: model.zip, spillway_md5: model.md5 } }),
      });
      expect(loaded.status, await loaded.text()).toBe(200);
    }
    const message = plantMessage(pressMessage, { topic: "plant/data" });
    const published = await Promise.all(
      set.route(message).map(async ({ rule }) => {
        const own = set.rules.find(({ id }) => id === rule.id)!;
        const { model, inputs, parameters } = requestFor(own, message);
        const { body } = encodeInferRequest({ id: "id-1", inputs, parameters }, { binary: false });
        const answer = await fetch(`${edge.url}/v2/models/${model}/infer`, {
          method: "POST",
          body: Buffer.from(body),
        });
        const bytes = new Uint8Array(await answer.arrayBuffer());
        expect(answer.status, Buffer.from(bytes).toString()).toBe(200);
        return publicationFor(own, message, { kind: "answer", answer: decodeInferResponse(bytes) });
      }),
    );
    expect(published.map((each) => [each.topic, jsonIn(each)])).toEqual([
      ["results/压机7/wear", { id: "id-1", wear: 84.5 / 128 }],
      ["results/press-7/heat", { id: "id-1", heat: heatOfPress }],
    ]);
  } finally {
    await edge.stop();
  }
});
