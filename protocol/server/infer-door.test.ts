/** What the short way in gives back when callers hang up, on real sockets. */
import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { createHttpServer } from "../../base/program/serve.ts";
import { eventually } from "../../test/support/built.ts";
import { InferDoor } from "./infer-door.ts";
import { ReadRoom } from "./read-body.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** A door that answers when it is let go on, with what is counted in its room. */
async function heldDoor(answerBytes = 2) {
  const room = new ReadRoom(10_000_000);
  const [take, give] = [room.take.bind(room), room.give.bind(room)];
  const state = { counted: 0, begun: 0, hungUp: 0, goOn: () => {} };
  room.take = (bytes) => {
    take(bytes);
    state.counted += bytes;
  };
  room.give = (bytes) => {
    give(bytes);
    state.counted -= bytes;
  };
  const held = new Promise<void>((resolve) => (state.goOn = resolve));
  const door = new InferDoor<string>({
    gate: undefined,
    maxBytes: 5_000_000,
    room,
    nowMs: () => 0,
    find: (model) => model,
    infer: async (call) => {
      state.begun++;
      call.hungUp.addEventListener("abort", () => state.hungUp++);
      await held;
      return { parts: [new Uint8Array(answerBytes)] };
    },
    onFault: () => {},
  });
  const server = createHttpServer({ fetch: () => new Response("the app") }, undefined, door.route);
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  const open = async (): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    return socket.on("error", () => {});
  };
  return { state, open };
}

const head = (bytes: number): string =>
  `POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`;

it("gives the room of a body back once, also when its caller hangs up before the answer", async () => {
  const { state, open } = await heldDoor();
  for (const callers of [1, 2, 3]) {
    const socket = await open();
    socket.write(head(1_000_000));
    socket.write(Buffer.alloc(1_000_000));
    await eventually(() => expect(state.begun).toBe(callers));
    socket.destroy();
    await eventually(() => expect(state.hungUp).toBe(callers));
    expect(state.counted).toBe(0);
  }
});

it("tells requests that wait behind another on their connection that it has ended, and gives their room back", async () => {
  const { state, open } = await heldDoor();
  const socket = await open();
  socket.write(`${head(2)}{}${head(2)}{}${head(1_000_000)}`);
  socket.write(Buffer.alloc(500_000));
  await eventually(() => expect([state.begun, state.counted]).toEqual([2, 500_000]));
  socket.destroy();
  await eventually(() => expect([state.hungUp, state.counted]).toEqual([2, 0]));
  state.goOn();
});

it("tells an answered request nothing of the end of its connection", async () => {
  const { state, open } = await heldDoor();
  const socket = await open();
  state.goOn();
  for (const requests of [1, 2, 3]) {
    socket.write(`${head(2)}{}`);
    await once(socket, "data");
    expect(state.begun).toBe(requests);
  }
  socket.destroy();
  await once(socket, "close");
  expect(state.hungUp).toBe(0);
});
