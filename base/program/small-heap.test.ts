import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const built = new URL("../../dist/base/program/small-heap.js", import.meta.url).href;

/** Bytes of the young generation of a program that made objects of which some live for a while, and what it printed. */
async function youngBytes(before: string): Promise<{ readonly bytes: number; readonly stderr: string }> {
  const program = `
    import { EventEmitter } from "node:events";
    import { getHeapSpaceStatistics } from "node:v8";
    import { followConnections, keepHeapSmall } from ${JSON.stringify(built)};
    const connect = (server, count) =>
      Array.from({ length: count }, () => {
        const socket = new EventEmitter();
        server.emit("connection", socket);
        return socket;
      });
    ${before}
    const ring = Array.from({ length: 20_000 });
    for (let at = 0; at < 3_000_000; at++) ring[at % ring.length] = { at, text: String(at) };
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size);`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "-e",
    program,
  ]);
  return { bytes: Number(stdout), stderr };
}

const mib = 2 ** 20;

it(
  "a small heap has a small young generation, until there are many connections",
  { tags: ["slow"] },
  async () => {
    const follow = "keepHeapSmall(); const server = new EventEmitter(); followConnections(server);";
    const [free, small, few, many, gone] = await Promise.all([
      youngBytes(""),
      youngBytes("keepHeapSmall();"),
      youngBytes(`${follow} connect(server, 200);`),
      youngBytes(`${follow} connect(server, 1_000);`),
      youngBytes(`${follow} for (const socket of connect(server, 1_000)) socket.emit("close");`),
    ]);
    // V8 knows the flags: it would say so otherwise.
    for (const { stderr } of [free, small, few, many, gone]) expect(stderr).toBe("");
    for (const { bytes } of [small, few, gone]) expect(bytes).toBeLessThanOrEqual(8 * mib);
    // How far they grow depends on the machine.
    for (const { bytes } of [free, many]) expect(bytes).toBeGreaterThan(small.bytes);
  },
);
