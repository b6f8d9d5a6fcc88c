/** An edge that joins a nats-server from this process: a server that doubles numbers, behind the part of the edge that joins. */
import { pino } from "pino";
import { EdgeJoin } from "../../edge/join/edge-join.ts";
import { natsAddress } from "../../base/nats/nats-address.ts";
import type { doublingServer } from "./doubling-server.ts";

export interface JoiningEdge {
  readonly join: EdgeJoin;
  /** What it has logged. */
  readonly log: () => string;
}

export async function joiningEdge(
  nats: string,
  name: string,
  server: Awaited<ReturnType<typeof doublingServer>>,
  more: {
    readonly joinModels?: string;
    readonly joinDomain?: string;
    readonly install?: ConstructorParameters<typeof EdgeJoin>[0]["install"];
  } = {},
): Promise<JoiningEdge> {
  let lines = "";
  const log = pino({}, { write: (line: string) => void (lines += line) });
  const join = new EdgeJoin({
    options: {
      join: [natsAddress(nats)],
      joinName: name,
      maxModelMib: 100,
      maxBodyMib: 64,
      joinModels: more.joinModels ?? "",
      joinDomain: more.joinDomain,
    },
    app: {
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        const body = request.method === "POST" ? { body: await request.arrayBuffer() } : {};
        const { method, headers } = request;
        const answer = await fetch(server.url + pathname, { method, headers, ...body });
        // It was unpacked already.
        const told = new Headers(answer.headers);
        for (const field of ["content-encoding", "content-length", "transfer-encoding"]) told.delete(field);
        return new Response(await answer.arrayBuffer(), { status: answer.status, headers: told });
      },
    },
    facts: () => ({ models: [...server.models], replicas: {}, profile: {} }),
    install: more.install ?? (() => Promise.resolve()),
    env: {},
    log,
  });
  await join.start();
  return { join, log: () => lines };
}
