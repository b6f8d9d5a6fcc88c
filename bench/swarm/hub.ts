/**
 * Writes `docs/reference/hub.md`: what one request costs a NATS server in processor time on the path that it takes between
 * daemons and to an edge, and what follows for the rate at which a hub ends: `npm run hub -- [PATH]` with the program's path
 * (default: nats-server). Times are measured and differ between machines; what is reckoned from them says so.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { figure } from "../../base/figures.ts";

const port = 24_321;
const requests = 3_000;
const underWay = 64;
const ticksPerS = 100;
const sizes = [1_000, 150_000];
const rounds = 3;

const program = process.argv[2] ?? "nats-server";
const version = /v([\d.]+)/.exec(execFileSync(program, ["--version"]).toString())?.[1] ?? "unknown";
const folder = mkdtempSync(join(tmpdir(), "spillway-hub-"));
const server = spawn(program, ["-js", "-sd", folder, "-a", "127.0.0.1", "-p", String(port)], {
  stdio: "ignore",
});

/** Processor time of the server so far, in milliseconds. */
function serverMs(): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerS;
}

/** Publish to a work queue, pull, ask an edge, store the result, acknowledge: the processor time of the server for each. */
async function measure(bytes: number): Promise<number> {
  const nc = await connect({ servers: `127.0.0.1:${port}` });
  const manager = await jetstreamManager(nc);
  const stream = { storage: StorageType.File, max_msgs_per_subject: 1 };
  await manager.streams.add({
    name: "REQ",
    subjects: ["req.>"],
    retention: RetentionPolicy.Workqueue,
    ...stream,
  });
  await manager.streams.add({ name: "RES", subjects: ["res.>"], ...stream });
  await manager.consumers.add("REQ", { durable_name: "owner", ack_policy: AckPolicy.Explicit });
  const js = jetstream(nc);
  const body = new Uint8Array(bytes);
  const answer = new Uint8Array(200);
  nc.subscribe("edge", { callback: (_, message) => void message.respond(answer) });
  const consumer = await js.consumers.get("REQ", "owner");
  const beforeMs = serverMs();
  let [published, done] = [0, 0];
  let finished: (() => void) | undefined;
  const whenDone = new Promise<void>((resolve) => (finished = resolve));
  const publish = (): void => {
    if (published < requests) void js.publish(`req.${published++}`, body);
  };
  const messages = await consumer.consume({
    max_messages: underWay,
    callback: (message) => {
      const serve = async (): Promise<void> => {
        await nc.request("edge", message.data, { timeout: 10_000 });
        await js.publish(`res.${message.seq}`, answer, { expect: { lastSubjectSequence: 0 } });
        message.ack();
        publish();
        if (++done === requests) finished?.();
      };
      void serve();
    },
  });
  for (let nth = 0; nth < underWay; nth++) publish();
  await whenDone;
  const tookMs = serverMs() - beforeMs;
  messages.stop();
  await manager.streams.delete("REQ");
  await manager.streams.delete("RES");
  await nc.close();
  return tookMs / requests;
}

await delay(1_000);
const rows: { readonly bytes: number; readonly ms: number }[] = [];
for (const bytes of sizes) {
  const measured: number[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await measure(bytes));
  rows.push({ bytes, ms: measured.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] as number });
}
server.kill("SIGKILL");
await once(server, "exit");
rmSync(folder, { recursive: true, force: true });
const lines = rows.map(({ bytes, ms }) => {
  const perCore = 1_000 / ms;
  // A request goes in and out twice: to the queue and its owner, and to the hub again and an edge.
  const gigabits = (perCore * 2 * bytes * 8) / 1e9;
  return `| ${figure(bytes)} | ${figure(ms)} | ${figure(perCore)} | ${figure(gigabits)} |\n`;
});
const page = `# Where a hub ends

What one request costs a NATS server on its way: published to the work queue of its model, pulled by the owner, sent to an
edge and answered over NATS, its result stored where there is none, the request acknowledged. Measured by \`npm run hub\` with
nats-server ${version}, streams in files, ${figure(requests)} requests, ${underWay} under way at once, the median of ${rounds} runs, on one
machine (${cpus()[0]?.model.trim() ?? "unknown"}) that other programs used as well: the processor time of the server alone, read from
\`/proc\`. The last two columns are **reckoned** from it and were not measured: a core that does nothing else, and the traffic into
the server at that rate, of which as much goes out.

| bytes of a request | processor ms of the server | requests a second per core, reckoned | Gbit/s in, reckoned |
| --- | --- | --- | --- |
${lines.join("")}
What follows, also reckoned:

- A hot model is likely to end at its owner before the hub, because that is one process that decides about each request and
  joins its bytes: look at its processor first, and split the model
  ([what that costs](splitting.md)) before the hub is asked for more.
- Small requests end at the server's processor, pictures at its network card: compare the last column with yours. Batches cost
  the hub less than reckoned here, because an edge gets one message for all of their requests.
- Each message is written to disk once, requests and results alike, so a disk carries half of what goes in. With
  \`sync_interval: always\` every write is waited for, which this does not measure.
- Sites that serve their own requests, with a leaf node each, take nothing of the hub. That is what carries furthest: a hub has to
  carry only what sites hand over.
`;
const file = fileURLToPath(new URL("../../../docs/reference/hub.md", import.meta.url));
writeFileSync(file, page);
execFileSync("npx", ["oxfmt", file]);
