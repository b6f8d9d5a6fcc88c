/** A daemon of several edges, over real sockets. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { expect, it } from "vitest";
import { checkValues } from "../../base/program/options.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { timedServer } from "../../test/support/timed-server.ts";
import { closers } from "../../test/support/wired-targets.ts";
import { parseProfile } from "../policies/profile.ts";
import type { Daemon } from "./daemon.ts";
import { openDaemon } from "./open-daemon.ts";
import { daemonOptions } from "./options.ts";

const prices = fileURLToPath(new URL("../../serverless/prices/alibaba-fc-cn-2026.json", import.meta.url));

async function startedDaemon(given: Readonly<Record<string, unknown>>): Promise<Daemon> {
  const servers = await Promise.all(
    [2, 40].map((ms) => timedServer({ serviceMs: () => ms, tellsService: true })),
  );
  for (const server of servers) closers.push(() => Promise.resolve(server.close()));
  const edge = servers.map(({ url }, index) => (index === 0 ? url : `far=${url}`));
  const values = { edge, serverless: false, prices, slo: 5, ...given };
  const daemon = openDaemon(checkValues(daemonOptions, values, {}), pino({ level: "silent" }));
  closers.push(() => daemon.close());
  await daemon.start(new AbortController().signal);
  return daemon;
}

const request = { parameters: {}, inputs: [tensorFromNumbers("x", "FP32", [1, 256], Array(256).fill(0))] };
const call = { model: "timed", request, bytes: 1_024 };

it("sends to every edge in turn under the policy fixed, and says which one served", async () => {
  const daemon = await startedDaemon({ policy: "fixed", edgeBatch: 1 });
  const targets: string[] = [];
  for (let nth = 0; nth < 4; nth++) {
    targets.push((await daemon.submit(call, new AbortController().signal)).target);
  }
  expect(targets).toEqual(["edge-1", "far", "edge-1", "far"]);
});

it("serves every request while the disk takes neither the record nor the profile", async () => {
  const daemon = await startedDaemon({ record: "/dev/full", saveProfile: "/dev/full", calibrate: 1 });
  for (let nth = 0; nth < 20; nth++) await daemon.submit(call, new AbortController().signal);
  expect(daemon.status().isReady).toBe(true);
});

it("keeps the record of an earlier run, and makes none where it does not come to serve", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-daemon-"));
  const record = join(folder, "day.jsonl");
  const values = { edge: "http://127.0.0.1:1", serverless: false, prices, record };
  await openDaemon(checkValues(daemonOptions, values, {}), pino({ level: "silent" })).close();
  expect(existsSync(record)).toBe(false);
  writeFileSync(record, "yesterday");
  const daemon = await startedDaemon({ record, policy: "fixed" });
  await daemon.submit(call, new AbortController().signal);
  await daemon.close();
  expect(readFileSync(record, "utf8")).toBe("yesterday");
  expect(readdirSync(folder).toSorted()).toEqual(["day-2.jsonl", "day.jsonl"]);
  const lines = readFileSync(join(folder, "day-2.jsonl"), "utf8").trimEnd().split("\n");
  const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind);
  expect(kinds).toEqual(expect.arrayContaining(["header", "arrival", "batch", "result", "end"]));
});

it("measures every edge, and writes down what it measured by their names", async () => {
  const saveProfile = join(mkdtempSync(join(tmpdir(), "spillway-daemon-")), "profile.json");
  await startedDaemon({ calibrate: 20, slo: 0.03, saveProfile });
  const { targets } = parseProfile(readFileSync(saveProfile, "utf8"), saveProfile);
  expect(targets.map(({ name, kind, models }) => [name, kind, Object.keys(models)])).toEqual([
    ["edge-1", "edge", ["timed"]],
    ["far", "edge", ["timed"]],
  ]);
  const [nearMs = Infinity, farMs] = targets.map(({ models }) =>
    Math.min(...(models["timed"]?.serviceMs["1"] ?? [])),
  );
  expect(farMs).toBeGreaterThan(nearMs);
});
