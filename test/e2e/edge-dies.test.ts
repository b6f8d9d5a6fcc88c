/** A request whose rows are at two edges when one of them is killed, over real processes. */
import { readFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { parseRecord, replayRecord } from "../../replay/records/recorded-run.ts";
import { eventually } from "../support/built.ts";
import { OutageRig } from "../support/outage-rig.ts";

const rig = new OutageRig();
afterAll(async () => {
  await rig.close();
  rig.removeFiles();
});

const rows = 1_000;

it("answers a request of 1,000 rows whole, in order and once, when one of its two edges is killed", async () => {
  const [near, far] = await Promise.all([rig.edge(), rig.edge()]);
  const record = `${rig.models}.ndjson`;
  const edges = ["--edge", `near=${near.url}`, "--edge", `far=${far.url}`, "--no-serverless"];
  const flags = ["--slo", "120", "--calibrate", "2", "--models", "timed", "--join-rows", "timed"];
  const queue = await rig.start("vqueue", "--port", "0", ...edges, ...flags, "--record", record);
  const data = Array.from({ length: 4 * rows }, (_, index) => index / 16);
  const body = JSON.stringify({
    id: "all",
    inputs: [{ name: "x", datatype: "FP32", shape: [rows, 4], data }],
  });
  const answering = fetch(`${queue.url}/v2/models/timed/infer`, { method: "POST", body });
  const sentTo = (target: string): number =>
    readFileSync(record, "utf8")
      .split("\n")
      .filter((line) => line.includes('"kind":"batch"') && line.includes(`"target":"${target}"`)).length;
  await eventually(() => expect(Math.min(sentTo("near"), sentTo("far"))).toBeGreaterThan(2));
  near.signal("SIGKILL");

  const answer = await answering;
  const told = (await answer.json()) as {
    readonly id: string;
    readonly parameters: { readonly spillway_rows_by_target: string };
    readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
  };
  expect(answer.status).toBe(200);
  expect([told.id, told.outputs[0]?.shape]).toEqual(["all", [rows, 4]]);
  expect(told.outputs[0]?.data).toEqual(data);
  const served = [...told.parameters.spillway_rows_by_target.matchAll(/(near|far)=(\d+)/g)];
  expect(served.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(rows);

  queue.signal("SIGTERM");
  await eventually(() => expect(fetch(`${queue.url}/v2/health/live`)).rejects.toThrow());
  const recorded = parseRecord(readFileSync(record, "utf8"), record);
  const ok = new Map<number, boolean>();
  for (const input of recorded.inputs) if (input.kind === "result") ok.set(input.batch, input.ok);
  const answered = Array.from({ length: rows }, () => 0);
  for (const output of recorded.outputs) {
    if (output.kind !== "batch" || ok.get(output.id) !== true) continue;
    for (const [from, to] of output.ranges ?? [[0, rows]])
      for (let row = from; row < to; row++) answered[row] = (answered[row] as number) + 1;
  }
  expect(new Set(answered)).toEqual(new Set([1]));
  // Some of it was under way at the edge that died.
  expect([...ok.values()]).toContain(false);
  expect(JSON.parse(JSON.stringify(replayRecord(recorded)))).toEqual(recorded.outputs);
}, 90_000);
