/** Replies without an end, over real sockets: each is given up at its bound, and its connection with it. */
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { eventually } from "../../test/support/built.ts";
import { call, closers, fcTarget, httpTarget, scripted, send } from "../../test/support/wired-targets.ts";
import { httpTransport, type HttpTransport } from "./http-transport.ts";
import { mostErrorBytes, readReply } from "./reply-body.ts";
import { ReplyRoom } from "./reply-room.ts";

const mib = 2 ** 20;
const piece = Buffer.alloc(64 * 1_024, " ");

/** What a server without an end has sent so far, and whether its connection was closed. */
interface Flood {
  bytes: number;
  isClosed: boolean;
}

/** Sends for as long as the connection takes it. */
function pour(response: ServerResponse, flood: Flood): void {
  const more = (): void => {
    while (!response.destroyed && response.write(piece)) flood.bytes += piece.length;
  };
  response.on("drain", more).on("close", () => (flood.isClosed = true));
  more();
}

async function flooding(status: number): Promise<{ readonly url: string; readonly flood: Flood }> {
  const flood = { bytes: 0, isClosed: false };
  const url = await scripted((_, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    pour(response, flood);
  });
  return { url, flood };
}

function transportTo(url: string, mostAnswerBytes?: number, room?: ReplyRoom): HttpTransport {
  const bound = mostAnswerBytes === undefined ? {} : { mostAnswerBytes };
  const transport = httpTransport({ url, connections: 4, ...bound, room });
  closers.push(() => transport.close());
  return transport;
}

const wire = { body: new TextEncoder().encode("{}") };

describe("a reply without an end", () => {
  it("is a fault of the target at the bound of an answer, and closes the connection", async () => {
    const { url, flood } = await flooding(200);
    const transport = transportTo(url, mib);
    const message = "the answer is too long; allowed: at most 1048576 bytes";
    await expect(transport.call("m", wire, 60_000)).rejects.toMatchObject({ code: "target_fault", message });
    await eventually(() => expect(flood.isClosed).toBe(true));
    expect(flood.bytes).toBeLessThan(32 * mib);
  });

  it("has a smaller bound where a server is asked what it has", async () => {
    const { url, flood } = await flooding(200);
    const transport = transportTo(url);
    for (const asked of [
      transport.get("/v2/models/m", 60_000),
      transport.get("/v2/models", 60_000, 2 * mib),
      transport.post("/v2/repository/index", 60_000, {}, { mostBytes: 2 * mib }),
    ])
      await expect(asked).rejects.toMatchObject({ code: "target_fault" });
    await eventually(() => expect(flood.isClosed).toBe(true));
    expect(flood.bytes).toBeLessThan(64 * mib);
  });

  it("is cut where it is an error, which still is what its status says", async () => {
    const { url, flood } = await flooding(503);
    const { status, wire: answer } = await transportTo(url).call("m", wire, 60_000);
    expect([status, answer.body.length]).toEqual([503, mostErrorBytes]);
    await eventually(() => expect(flood.isClosed).toBe(true));
  });

  it("is a fault of a function behind the SDK, whether it answers or refuses", async () => {
    for (const status of [200, 400]) {
      const { url, flood } = await flooding(status);
      const result = await send(fcTarget(url), call("a", 1));
      expect(result).toMatchObject({
        ok: false,
        error: {
          code: "target_fault",
          message: expect.stringMatching(/too long; allowed: at most \d+ bytes$/),
        },
      });
      await eventually(() => expect(flood.isClosed).toBe(true));
    }
  });

  it("leaves the target to the next call", async () => {
    let calls = 0;
    const url = await scripted((_, response) => {
      response.writeHead(200);
      if (calls++ === 0) pour(response, { bytes: 0, isClosed: false });
      else response.end('{"outputs":[{"name":"y","datatype":"FP32","shape":[1,1],"data":[1]}]}');
    });
    const target = httpTarget(url, { mostAnswerBytes: mib });
    expect(await send(target, call("a", 1))).toMatchObject({ ok: false, error: { code: "target_fault" } });
    expect(await send(target, call("b", 1))).toMatchObject({ ok: true });
  });
});

describe("a reply that is read", () => {
  const bodyOf = (...chunks: Uint8Array[]): Readable => Readable.from(chunks);
  const most = { mostBytes: 1_000 };

  it("comes whole in any pieces, up to the very bound, whatever length was told", async () => {
    const bytes = Uint8Array.from({ length: 1_000 }, (_, index) => index % 251);
    const single = [...bytes].map((byte) => Uint8Array.of(byte));
    for (const told of [
      {},
      { "content-length": "1000" },
      { "content-length": "3" },
      { "content-length": "x" },
    ])
      expect(await readReply(bodyOf(...single), told, most)).toEqual(bytes);
    expect(await readReply(bodyOf(), {}, most)).toEqual(new Uint8Array());
    await expect(readReply(bodyOf(bytes, Uint8Array.of(1)), {}, most)).rejects.toThrow("at most 1000 bytes");
  });

  it("is not begun where its length is told to be too long", async () => {
    const body = new Readable({ read: () => expect.unreachable() });
    await expect(readReply(body, { "content-length": "1001" }, most)).rejects.toThrow("at most 1000 bytes");
    expect(body.destroyed).toBe(true);
  });

  it("is bounded after decompression as well", async () => {
    const zeros = Buffer.alloc(100_000);
    for (const [coding, packed] of [
      ["gzip", gzipSync(zeros)],
      ["br", brotliCompressSync(zeros)],
    ] as const) {
      const headers = { "content-encoding": coding };
      await expect(readReply(bodyOf(packed), headers, most)).rejects.toThrow("at most 1000 bytes");
      expect(await readReply(bodyOf(packed), headers, { ...most, isCut: true })).toHaveLength(0);
      expect(await readReply(bodyOf(packed), headers, { mostBytes: 100_000 })).toHaveLength(100_000);
    }
  });
});

describe("the room that replies share", () => {
  it("gives up the longest where it is full, and lets the others end", async () => {
    const flood = { bytes: 0, isClosed: false };
    const url = await scripted(({ url: path }, response) => {
      response.writeHead(200);
      if (path?.includes("endless")) pour(response, flood);
      else
        response.write(
          Buffer.alloc(300_000, " "),
          () => void eventually(() => expect(flood.isClosed).toBe(true)).then(() => response.end()),
        );
    });
    const room = new ReplyRoom(mib);
    const transport = transportTo(url, 64 * mib, room);
    const short = transport.call("short", wire, 60_000);
    const endless = transport.call("endless", wire, 60_000);
    const why = "answers have more than 1048576 bytes together, and this one is the longest";
    await expect(endless).rejects.toMatchObject({ code: "target_fault", message: why });
    expect((await short).wire.body).toHaveLength(300_000);
    expect(room.bytes).toBe(0);
  });
});
