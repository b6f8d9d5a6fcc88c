/** Handlers beside models, in real replicas of a real repository: what they are given, and whose fault their faults are. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEdgeApp } from "../../edge/server/app.ts";
import { inProcessRunner } from "../../edge/models/in-process-runner.ts";
import type { ModelFile } from "../../edge/models/model-runner.ts";
import { ReplicaPool } from "../../edge/replicas/replica-pool.ts";
import { findModels } from "../../edge/models/repository.ts";
import { tensorFromStrings, tensorToStrings } from "../../protocol/tensor.ts";
import { poolOptions } from "../support/scripted-pool.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-handlers-"));
/** The example of docs/guide/handlers.md, and one that counts the rows of its runs and fails as its texts say. */
const example = /```js\n\/\/ models\/shout\/handler\.js\n([^]*?)```/.exec(
  readFileSync(new URL("../../docs/guide/handlers.md", import.meta.url), "utf8"),
)?.[1];
const faulty = `
  export const inputs = [{ name: "text", datatype: "BYTES", shape: [-1] }];
  export const outputs = [{ name: "rows", datatype: "BYTES", shape: [-1] }];
  const text = ([{ data }]) => Buffer.from(data.subarray(4)).toString();
  export function preprocess(inputs) {
    if (text(inputs) === "bad before") throw new Error("cannot prepare it");
    if (text(inputs) === "refused") throw Object.assign(new Error("not that"), { status: 422 });
    return { inputs, note: text(inputs) };
  }
  export function predict([input]) {
    const rows = input.shape[0];
    const data = Buffer.concat(Array.from({ length: rows }, () => Buffer.from([1, 0, 0, 0, 48 + rows])));
    return [{ name: "rows", datatype: "BYTES", shape: [rows], data: new Uint8Array(data) }];
  }
  export function postprocess(outputs, note) {
    if (note === "bad after") throw new Error("cannot answer it");
    return outputs;
  }
`;

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
}

let models: ModelFile[] = [];
const modelNamed = (name: string) => models.find((model) => model.name === name) as ModelFile;

beforeAll(() => {
  write("shout/handler.mjs", example ?? "");
  write("faulty/3/handler.mjs", faulty);
  // Its answers count the rows of a run, so no comparison could prove it.
  write("faulty/config.yaml", "joinRows: true\n");
  write("typed/handler.ts", "export const load: () => void = () => {};");
  write("empty/handler.mjs", "export const nothing = 1;");
  models = findModels(folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("a handler", () => {
  it("may be a whole model, as in the example of the docs", async () => {
    const runner = inProcessRunner(modelNamed("shout"), 1);
    await runner.ready();
    const app = createEdgeApp({ models: [runner], log: pino({ level: "silent" }), maxBodyBytes: 1_000 });
    const form = new FormData();
    form.append("file", new File(["good morning"], "a.txt"));
    form.append("file", "hello");
    const answer = await app.request("/v2/models/shout/predict", { method: "POST", body: form });
    expect(await answer.json()).toMatchObject({
      model_name: "shout",
      predictions: [{ text: "GOOD MORNING!" }, { text: "HELLO!" }],
    });
    const raw = await app.request("/v2/models/shout/predict", { method: "POST", body: "one" });
    expect(await raw.json()).toMatchObject({ predictions: [{ text: "ONE!" }] });
  });

  it("fails the request that it throws at, and none of those in the same batch", async () => {
    const pool = new ReplicaPool(poolOptions({ model: modelNamed("faulty") }));
    await pool.ready();
    expect(pool.model.version).toBe("3");
    const texts = ["first", "good", "bad before", "refused", "bad after", "fine"];
    const ends = await Promise.all(
      texts.map((text) =>
        pool.run({ parameters: {}, inputs: [tensorFromStrings("text", [1], [text])] }).then(
          ({ outputs }) => outputs.flatMap(tensorToStrings),
          ({ status, message }: { status: number; message: string }) => ({ status, message }),
        ),
      ),
    );
    await pool.close();
    // The first is alone; the five after it come while it runs, and the three that could be prepared ran together.
    expect(ends).toEqual([
      ["1"],
      ["3"],
      { status: 500, message: "model faulty failed: cannot prepare it" },
      { status: 422, message: "not that" },
      { status: 500, message: "model faulty failed: cannot answer it" },
      ["3"],
    ]);
  });

  it("is refused at load when it exports no part, or this Node cannot run its TypeScript", async () => {
    await expect(inProcessRunner(modelNamed("empty"), 1).ready()).rejects.toThrow(
      /exports none of load, preprocess/,
    );
    const typed = inProcessRunner(modelNamed("typed"), 1).ready();
    const runsTypeScript = "typescript" in process.features && process.features.typescript !== false;
    await expect(typed).rejects.toThrow(
      runsTypeScript ? /must export inputs and outputs/ : /runs no TypeScript/,
    );
  });
});
