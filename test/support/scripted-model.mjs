/**
 * A model whose requests say what it does, for tests of what looks after models: each row is one number, its own
 * answer, and the negative ones are faults. A second output numbers the runs of the process, a third has its id.
 */
import { setTimeout as delay } from "node:timers/promises";

export const inputs = [{ name: "x", datatype: "INT32", shape: [-1, 1] }];
export const outputs = [
  { name: "y", datatype: "INT32", shape: [-1, 1] },
  { name: "run", datatype: "INT32", shape: [-1, 1] },
  { name: "pid", datatype: "INT32", shape: [-1, 1] },
];

/** What a row may ask for beside being answered. */
const fails = -1;
const dies = -2;
const hangs = -3;
const dropsRows = -4;
/** Values from this one on take as many milliseconds as they exceed it by. */
const slowFrom = 1_000_000;

let runs = 0;

export async function predict([x]) {
  runs++;
  const values = new Int32Array(x.data.slice().buffer);
  if (values.includes(dies)) process.kill(process.pid, "SIGKILL");
  if (values.includes(hangs)) for (;;);
  if (values.includes(fails)) throw new Error("a row is poisoned");
  await delay(Math.max(0, ...values.map((value) => value - slowFrom)));
  const rows = values.includes(dropsRows) ? 1 : values.length;
  const column = (name, value) => ({
    name,
    datatype: "INT32",
    shape: [rows, 1],
    data: new Uint8Array(Int32Array.from({ length: rows }, (_, row) => value(row)).buffer),
  });
  return [column("y", (row) => values[row]), column("run", () => runs), column("pid", () => process.pid)];
}
