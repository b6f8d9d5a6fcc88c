import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type ArrivalOptions, readArrivals } from "./arrivals.ts";
import type { TextFile } from "../../base/text-lines.ts";
import type { Arrival } from "./trace-lines.ts";

function fileOf(bytes: Uint8Array | string, chunkLength = 7): TextFile {
  const content = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  return {
    name: "trace.csv",
    async *open() {
      for (let start = 0; start < content.length; start += chunkLength) {
        yield content.subarray(start, start + chunkLength);
      }
    },
  };
}

async function arrivals(file: TextFile | string, options: Partial<ArrivalOptions> = {}): Promise<Arrival[]> {
  const all: Arrival[] = [];
  const whole = { seed: 1, fromS: 0, toS: Infinity, scale: 1, ...options };
  for await (const block of readArrivals(typeof file === "string" ? fileOf(file) : file, whole))
    all.push(...block);
  return all;
}

async function moments(file: TextFile | string, options: Partial<ArrivalOptions> = {}): Promise<number[]> {
  return (await arrivals(file, options)).map(({ atS }) => atS);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

const steadyTrace = `t\n${range(2_000)
  .map((second) => `${second}\n`)
  .join("")}`;

describe("the forms of a trace", () => {
  it("t: one line a request, with the columns it knows and others that it leaves alone", async () => {
    const text =
      't,note,rows,lane,model,bytes\r\n0.5,"a, ""b""",2,bulk,ocr,99\r\n0.5,,1,,cls,0\r\n1,,,,cls,0\r\n';
    expect(await arrivals(text)).toEqual([
      { atS: 0.5, rows: 2, lane: "bulk", model: "ocr", bytes: 99 },
      { atS: 0.5, rows: 1, lane: "", model: "cls", bytes: 0 },
      { atS: 1, rows: 1, lane: "", model: "cls", bytes: 0 },
    ]);
  });

  it("TIMESTAMP: seconds since the first line, to the last decimal", async () => {
    const text = "TIMESTAMP,ContextTokens\n2023-11-16 18:17:03.9799600,1\n2023-11-16 18:17:04.0319601,2\n";
    const [first, second] = await moments(text);
    expect(first).toBe(0);
    expect(second).toBeCloseTo(0.0520001, 12);
  });

  it("second,count: as many in each bin, in order, the last bin as wide as the one before", async () => {
    const placed = await moments("second,count\n0,3\n10,0\n20,500\n");
    expect(placed.filter((atS) => atS < 10)).toHaveLength(3);
    expect(placed.filter((atS) => atS >= 20 && atS < 30)).toHaveLength(500);
    expect(placed).toHaveLength(503);
    expect(placed).toEqual(placed.toSorted((a, b) => a - b));
  });

  it("second,rate_rps: about as many as the rate says, in order", async () => {
    const placed = await moments("second,rate_rps\n100,50\n200,0\n300,5\n");
    const inFirst = placed.filter((atS) => atS >= 100 && atS < 200);
    expect(Math.abs(inFirst.length - 5_000)).toBeLessThan(6 * Math.sqrt(5_000));
    expect(placed.filter((atS) => atS >= 200 && atS < 300)).toEqual([]);
    expect(placed).toEqual(placed.toSorted((a, b) => a - b));
  });

  it("reads gzip, whatever the name, in chunks of any length", async () => {
    const packed = gzipSync("t\n1\n2.5\n\n");
    expect(await moments(fileOf(packed))).toEqual([1, 2.5]);
    expect(await moments(fileOf(packed, 1_000))).toEqual([1, 2.5]);
  });
});

describe("a malformed trace", () => {
  it.each([
    ["", "trace.csv:1:1: the file is empty"],
    ["time\n1\n", 'trace.csv:1:1: the header is "time"'],
    ["t\n", "trace.csv:2:1: the file has a header and nothing else"],
    ["t\n1\nx\n", 'trace.csv:3:1: t is "x"; allowed: a number of seconds'],
    ["t\n1\n0x10\n", 'trace.csv:3:1: t is "0x10"'],
    ["t\n2\n1\n", 'trace.csv:3:1: t is "1"; that is earlier than the line before'],
    ["t\n-1\n", 'trace.csv:2:1: t is "-1"; that is earlier than the start'],
    ["t\n1\n\n2\n", "trace.csv:3:1: the line is empty"],
    ["t,rows\n1,2\n2,0\n", 'trace.csv:3:3: rows is "0"; allowed: an integer from 1'],
    ["t,rows\n1,2\n2\n", "trace.csv:3:2: 1 columns; the header has 2"],
    ["t,rows\n1,2,3\n", "trace.csv:2:5: 3 columns; the header has 2"],
    ['t,note\n1,"open\n', "trace.csv:2:3: a quoted cell does not end"],
    ["second,count\n0,1\n60,1.5\n", 'trace.csv:3:4: count is "1.5"; allowed: an integer from 0'],
    ["second,count\n0,1\n0,1\n", 'trace.csv:3:1: second is "0"; allowed: a number above 0'],
    ["second,count\n0,1\n", "trace.csv:2:1: a single bin has no width"],
    ["second,rate_rps\n0,-1\n", 'trace.csv:2:3: rate_rps is "-1"; allowed: a number from 0'],
    ["TIMESTAMP,x\n2023-02-30 00:00:00,1\n", "trace.csv:2:1: TIMESTAMP is"],
  ])("%j is refused where it is wrong", async (text, message) => {
    await expect(arrivals(text)).rejects.toThrow(message);
  });

  it("is refused also where the replay would not come to", async () => {
    await expect(arrivals("t\n1\n9\nx\n", { toS: 2 })).rejects.toThrow("trace.csv:4:1");
  });

  it("names the file when its gzip is broken", async () => {
    const packed = gzipSync(steadyTrace);
    await expect(arrivals(fileOf(packed.subarray(0, packed.length / 2), 1_000))).rejects.toThrow(
      /^trace\.csv:/,
    );
  });
});

describe("cut and scale", () => {
  it("keeps [from, to) and makes from 0", async () => {
    expect(await moments("t\n1\n2\n3\n4\n", { fromS: 2, toS: 4 })).toEqual([0, 1]);
  });

  it("below 1 leaves requests out and moves none", async () => {
    const kept = await moments(steadyTrace, { scale: 0.25 });
    expect(Math.abs(kept.length - 500)).toBeLessThan(6 * Math.sqrt(375));
    expect(kept.every((atS) => Number.isInteger(atS))).toBe(true);
  });

  it("above 1 keeps every request where it is and adds copies within the mean gap after one", async () => {
    const scaled = await moments(steadyTrace, { scale: 2.5 });
    expect(scaled.filter((atS) => Number.isInteger(atS))).toEqual(range(2_000));
    expect(Math.abs(scaled.length - 5_000)).toBeLessThan(6 * Math.sqrt(500));
    expect(scaled).toEqual(scaled.toSorted((a, b) => a - b));
    expect(Math.max(...scaled)).toBeLessThan(2_000);
  });

  it("scales a cut part as it scales the whole", async () => {
    const counts = "second,count\n0,300\n60,200\n120,400\n";
    for (const scale of [0.5, 1, 3.5]) {
      const whole = await moments(counts, { scale });
      const part = await moments(counts, { scale, fromS: 30, toS: 100 });
      expect(part).toEqual(whole.filter((atS) => atS >= 30 && atS < 100).map((atS) => atS - 30));
    }
  });

  it("draws other arrivals from another seed", async () => {
    const counts = "second,count\n0,30\n60,20\n";
    expect(await moments(counts, { seed: 2 })).not.toEqual(await moments(counts));
  });
});
