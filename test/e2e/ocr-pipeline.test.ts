/** The embedded OCR pipeline on its real models in real replicas: pages whose text is known. */
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLines, type TextLine } from "../../client/daemon/profile/payload/text-lines.ts";
import { createEdgeApp } from "../../edge/server/app.ts";
import type { ModelFile, ModelRunner } from "../../edge/models/model-runner.ts";
import { openPipeline } from "../../edge/vision/pipelines/pipeline-runner.ts";
import { ReplicaPool } from "../../edge/replicas/replica-pool.ts";
import { embeddedRepository } from "../../edge/models/repository.ts";
import { renderPage } from "../support/rendered-page.ts";
import { poolOptions } from "../support/scripted-pool.ts";

interface FoundLine {
  readonly text: string;
  readonly confidence: number;
  readonly direction: readonly string[];
  readonly box: { readonly corners: readonly [number, number][] };
}

/** Rows of each batch that a model's replicas ran, by the model. */
const batches = new Map<string, number[]>();
const runners = new Map<string, ModelRunner>();
const app = createEdgeApp({
  models: { [Symbol.iterator]: () => runners.values() },
  log: pino({ level: "silent" }),
  maxBodyBytes: 10_000_000,
});

beforeAll(async () => {
  const repository = embeddedRepository();
  const openPool = (model: ModelFile): ModelRunner =>
    new ReplicaPool(
      poolOptions({
        model,
        onBatch: ({ rows }) => batches.set(model.name, [...(batches.get(model.name) ?? []), rows]),
      }),
    );
  for (const name of ["ocr-det", "ocr-orient", "ocr-read", "ocr"]) {
    const model = repository.read(name);
    runners.set(name, openPipeline(model, openPool, (each) => runners.get(each)) ?? openPool(model));
  }
  await Promise.all([...runners.values()].map((runner) => runner.ready()));
});

afterAll(async () => {
  await Promise.all([...runners.values()].map((runner) => runner.close()));
});

async function linesOf(file: Uint8Array): Promise<readonly FoundLine[]> {
  const body = file as Uint8Array<ArrayBuffer>;
  const headers = { "content-type": "image/png" };
  const answer = await app.request("/v2/models/ocr/predict", { method: "POST", headers, body });
  expect(answer.status).toBe(200);
  const { predictions } = (await answer.json()) as { predictions: { lines: FoundLine[] }[] };
  return predictions[0]?.lines ?? [];
}

const asFound = (lines: readonly TextLine[]) =>
  lines.map(({ text, upsideDown }) => ({ text, direction: [upsideDown ? "180" : "0"] }));
const asKnown = (lines: readonly FoundLine[]) => lines.map(({ text, direction }) => ({ text, direction }));
const sum = (rows: readonly number[]) => rows.reduce((total, each) => total + each, 0);

describe("the embedded OCR pipeline", () => {
  it("reads every line of pages, upside down or not, and joins the lines of pages that come together", async () => {
    const pages = [createLines(9, 11), createLines(7, 12)];
    batches.clear();
    const found = await Promise.all(pages.map(async (lines) => linesOf(await renderPage(lines))));
    expect(found.map(asKnown)).toEqual(pages.map(asFound));
    for (const { confidence } of found.flat()) expect(confidence).toBeGreaterThan(0.9);

    const turned = pages.flat().filter(({ upsideDown }) => upsideDown).length;
    // A step for each page, which is cropped, and for each line that is turned; no other line passes through it.
    expect(sum(batches.get("ocr") ?? [])).toBe(pages.length + turned);
    expect(sum(batches.get("ocr-orient") ?? [])).toBe(16);
    expect(sum(batches.get("ocr-read") ?? [])).toBe(16);
    expect(batches.get("ocr-read")?.length).toBeLessThan(16);
  });

  it("tells where on the page a line is", async () => {
    const [line] = createLines(1, 3);
    const [found] = await linesOf(await renderPage([line as TextLine]));
    const [leftTop, , rightBottom] = (found as FoundLine).box.corners;
    const [left = 0, top = 0] = leftTop ?? [];
    const [right = 0, bottom = 0] = rightBottom ?? [];
    // The line's picture is 220 x 48 pixels at (40, 40), with 8 pixels of margin at its left.
    expect(left).toBeGreaterThan(40);
    expect(left).toBeLessThan(60);
    expect(right).toBeLessThan(260);
    expect([top > 40, bottom < 88]).toEqual([true, true]);
  });

  it("finds nothing on an empty page, and says which stage refused what is no picture", async () => {
    expect(await linesOf(await renderPage([]))).toEqual([]);
    const answer = await app.request("/v2/models/ocr/predict", { method: "POST", body: "no picture" });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({
      error: expect.stringMatching(
        /^stage detect: the picture is of an unknown kind; allowed: JPEG, PNG, WebP/,
      ),
    });
  });

  it("is described as a model of its own", async () => {
    const metadata = await (await app.request("/v2/models/ocr")).json();
    expect(metadata).toMatchObject({
      platform: "pipeline",
      inputs: [{ name: "image", datatype: "BYTES", shape: [-1] }],
      outputs: [{ name: "lines", datatype: "BYTES", shape: [-1] }],
    });
  });
});
