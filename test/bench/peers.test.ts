import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { PeerMeasurement } from "../../bench/peers/cells.ts";
import { samplesOf, writeModels } from "../../bench/peers/bench-models.ts";
import { checkAnswers, isSameTensor } from "../../bench/peers/checker.ts";
import { contenders } from "../../bench/peers/contenders.ts";
import { buildGenerator, sendLoad, httpRequest } from "../../bench/peers/generator.ts";
import { measurementOf } from "../../bench/peers/measurement.ts";
import { medianIn, type PeerOnPage, peersPage } from "../../bench/peers/peers-page.ts";
import { cpuBetweenMs, parseStat, pssMibOf } from "../../bench/peers/process-tree.ts";
import { startEdge } from "../contract/running-edge.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";

const measured = (perS: number): PeerMeasurement => ({
  perS,
  p50Ms: 2,
  p99Ms: 9,
  inTime: 0.5,
  refused: 0.25,
  cpuMs: 0.125,
  pssMib: 100,
  checked: 40,
  wrong: 0,
});
const peer = (name: string, ...perS: number[]): PeerOnPage => ({
  name,
  versions: [`${name} 1.0`],
  settings: "as it comes",
  rounds: { "no-op-64": perS.map(measured) },
});
const facts = { skipped: [], machine: "a machine", made: "today", rounds: 3, seconds: 3 };

describe("the page of peers", () => {
  it("shows the median of the rounds, and a dash where nothing was measured", () => {
    expect(medianIn(peer("edge", 10, 30, 20), "no-op-64", "perS")).toBe(20);
    const text = peersPage({ ...facts, peers: [peer("edge", 10, 30, 20), { ...peer("ray"), rounds: {} }] });
    expect(text).toContain("| edge | 20 | 0.125 | 100 |");
    expect(text).toContain("| ray | – | – | – |");
  });

  it("names each figure in which another server is ahead by more than a twentieth", () => {
    const text = peersPage({ ...facts, peers: [peer("edge", 100), peer("near", 104), peer("far", 200)] });
    const behind = text.slice(text.indexOf("## Where our edge is behind"));
    expect(behind).toContain("64 in flight: requests/s: 100; far 200");
    expect(behind).not.toContain("near");
  });

  it("says which servers were not measured, and why", () => {
    const skipped = [{ name: "mosec", why: "no such package" }];
    expect(peersPage({ ...facts, peers: [peer("edge", 1)], skipped })).toContain(
      "- **mosec** was not measured: no such package",
    );
  });
});

it("counts what was due and was not answered against the server", () => {
  const summary = { sent: 100, statuses: { 200: 60, 503: 30 }, unanswered: 10, seconds: 2 };
  const times = { p50Ms: 1, p99Ms: 2, within: 50 };
  const given = measurementOf({ ...summary, ...times }, 140, 7, { checked: 10, wrong: 1 });
  expect(given).toMatchObject({ perS: 30, inTime: 0.5, refused: 0.3, cpuMs: 2, pssMib: 7, wrong: 1 });
});

it("reads memory and processor time as Linux tells them", () => {
  expect(pssMibOf("5581e4000000-7ffd [rollup]\nRss:   4096 kB\nPss:   2048 kB\nPss_Dirty: 8 kB\n")).toBe(2);
  expect(pssMibOf("")).toBe(0);
  const stat = "12 (a (b) c) S 7 12 12 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0";
  expect(parseStat(stat)).toEqual({ parent: 7, cpuMs: 420 });
  expect(
    cpuBetweenMs(
      new Map([[1, 100]]),
      new Map([
        [1, 150],
        [2, 30],
      ]),
    ),
  ).toBe(80);
});

it("takes rounding for the same scores, and nothing else for the same tensor", () => {
  const bytes = (...numbers: number[]): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer);
  expect(isSameTensor(bytes(0.5, 0.5), bytes(0.5001, 0.4999), "ocr-cls")).toBe(true);
  expect(isSameTensor(bytes(0.5, 0.5), bytes(0.9, 0.1), "ocr-cls")).toBe(false);
  expect(isSameTensor(bytes(0.5), bytes(0.5, 0.5), "ocr-cls")).toBe(false);
  expect(isSameTensor(bytes(0.5), bytes(0.5001), "no-op")).toBe(false);
});

it("asks every server for the row that it is given, and pins what it installs", () => {
  const row = tensorFromNumbers("x", "UINT8", [1, 3], [1, 2, 3]);
  for (const { request, packages } of contenders) {
    const { body } = request("no-op", row);
    const text = Buffer.from(body).toString("latin1");
    expect(text.includes("\x01\x02\x03") || text.includes("AQID")).toBe(true);
    for (const each of packages) expect(each).toMatch(/^[\w.[\]-]+==[\d.]+$/);
  }
});

let stop = (): void => {};
afterEach(() => stop());

const hasGo = ((): boolean => {
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasGo)("the generator of the load, where there is Go", { tags: ["slow"] }, () => {
  it("sends what is due at a constant rate, and tells statuses apart", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spillway-load-"));
    let asked = 0;
    const server = createServer((request, response) => {
      request.resume().on("end", () => {
        asked++;
        response.writeHead(asked % 2 === 0 ? 503 : 200);
        // Chunked every third time.
        if (asked % 3 === 0) response.write("a");
        response.end("b");
      });
    }).listen(0, "127.0.0.1");
    stop = () => {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true });
    };
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const request = { path: "/infer", headers: {}, body: new Uint8Array(1_024) };
    expect(httpRequest(request).toString()).toMatch(/^POST \/infer HTTP\/1\.1\r\n(.+\r\n)+\r\n/);
    const program = await buildGenerator(folder);
    const load = { port, request, withinMs: 60_000, seconds: 0.2 };
    const open = await sendLoad(program, { ...load, connections: 16, perS: 500 }, folder);
    expect(open).toMatchObject({ sent: 100, statuses: { 200: 50, 503: 50 }, unanswered: 0, within: 50 });
    const closed = await sendLoad(program, { ...load, connections: 2 }, folder);
    expect(closed.sent).toBe(asked - 100);
    await expect(sendLoad(program, { ...load, connections: 0 }, folder)).rejects.toThrow("-connections");
  });

  it("gets every answer of our edge, and the slow client beside it the tensor of each of its rows", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spillway-load-"));
    writeModels(join(folder, "models"));
    const edge = await startEdge("--models", join(folder, "models"), "--load", "no-op");
    stop = () => rmSync(folder, { recursive: true });
    const [ours] = contenders;
    if (ours === undefined) throw new Error("the edge is no contender");
    const samples = await samplesOf("no-op");
    const requests = samples.map(({ row }) => ours.request("no-op", row));
    const [request] = requests;
    if (request === undefined) throw new Error("there is no sample");
    const port = Number(new URL(edge.url).port);
    const done = new AbortController();
    const counts = { checked: 0, wrong: 0 };
    const checking = checkAnswers(ours, port, requests, samples, "no-op", done.signal, counts);
    const program = await buildGenerator(folder);
    const load = { port, request, connections: 8, seconds: 0.5, withinMs: 60_000 };
    const { sent, statuses } = await sendLoad(program, load, folder);
    await expect.poll(() => counts.checked).toBeGreaterThan(0);
    done.abort();
    await checking;
    await edge.stop();
    expect(statuses).toEqual({ 200: sent });
    expect(counts.wrong).toBe(0);
  });
});
