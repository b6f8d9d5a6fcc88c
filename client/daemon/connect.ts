/** How the daemon reaches its edges and functions: a transport for each, and the queue's targets over them. */
import { awaitedEdges, awaitedTransport } from "./targets/awaited-edges.ts";
import { callCost, type FunctionSize, type PriceSheet } from "../../serverless/prices/price.ts";
import type { EdgeAddress } from "./choices.ts";
import type { DaemonOptions } from "./options.ts";
import type { SpendCap } from "../targets/spend-cap.ts";
import type { Target } from "../targets/target.ts";
import {
  type AskedServer,
  type CappedTransportOptions,
  cappedQuestions,
  cappedTransport,
} from "../transports/capped-transport.ts";
import { type FormedTransport, withBodyForm } from "../transports/body-form.ts";
import { type FcTransport, fcTransport } from "../transports/fc-transport.ts";
import { httpTransport, type HttpTransport } from "../transports/http-transport.ts";
import { ReplyRoom } from "../transports/reply-room.ts";
import { modelTarget, type ModelTargetOptions } from "../transports/model-target.ts";
import type { ModelCall } from "../transports/model-call.ts";
import { serverTransport } from "../transports/server-transport.ts";
import type { Transport } from "../transports/transport.ts";
import type { FunctionVariant } from "../../serverless/prices/function-menu.ts";
import type { InferResponse } from "../../protocol/message.ts";
import { edgeAuth, functionAuth } from "../transports/http-auth.ts";
import { functionComputeKey } from "../../base/program/secrets.ts";
import { UsageError } from "../../base/usage-error.ts";
import { spendClockMs } from "./spend.ts";

/** Predicted round trips before any batch was observed, in milliseconds. */
const assumedLatencyMs = { edge: 100, serverless: 200 };

/** How an edge is reached: by questions, and by the queue's batches. */
export interface EdgeConnection {
  readonly transport: FormedTransport;
  readonly target: Target<ModelCall, InferResponse>;
}

export interface Connections {
  /** Connects one more edge, over a transport of its own where there is one. */
  readonly connectEdge: (address: EdgeAddress, number: number, server?: HttpTransport) => EdgeConnection;
  /** Ends its connections. */
  readonly disconnect: (edge: FormedTransport) => Promise<void>;
  readonly edges: readonly FormedTransport[];
  /** Of each function, for questions about its models, which are paid for. */
  readonly servers: readonly AskedServer[];
  /** Of each edge and then of each function, in the order of the options; the targets likewise. */
  readonly all: readonly Transport[];
  readonly targets: readonly Target<ModelCall, InferResponse>[];
  close(): Promise<void>;
}

/** What batches teach about the rows of a model, and what they have to obey. Edges are given by their numbers. */
export interface BatchLessons {
  /** Whether an edge may get several requests as one call. */
  readonly mayJoinAt?: (edge: number, model: string) => boolean | Promise<boolean>;
  /** Another server may be at an edge's address from now on. */
  readonly onGone?: (edge: number) => void;
  readonly onTooManyRows?: (model: string, mostRows: number) => void;
  readonly onMixedRows?: (model: string, why: string) => void;
  /** What is sent batches in a target's place. Default: the target. */
  readonly wrap?: (target: Target<ModelCall, InferResponse>) => Target<ModelCall, InferResponse>;
  /** As of `ModelTargetOptions`. */
  readonly readAnswer?: ModelTargetOptions["readAnswer"];
}

/** @throws UsageError when an address is none or the keys of the cloud are missing */
export function connectTargets(
  options: DaemonOptions,
  addresses: readonly EdgeAddress[],
  functions: readonly FunctionVariant[],
  sheet: PriceSheet,
  cap: SpendCap,
  { mayJoinAt, onGone, wrap = (target) => target, ...lessons }: BatchLessons = {},
): Connections {
  const callTimeoutMs = options.callTimeout * 1_000;
  const edgeProof = edgeAuth(options.edgeAuth, "--edge-auth", process.env);
  const mostAnswerBytes = options.maxAnswerMib * 2 ** 20;
  const bounds = {
    mostAnswerBytes,
    room: new ReplyRoom(Math.max(options.maxMib * 2 ** 20, mostAnswerBytes)),
  };
  const connectByUrl = (url: string, edge: number): HttpTransport =>
    serverTransport({
      url,
      auth: edgeProof,
      ...bounds,
      connections: options.edgeCalls,
      connectTimeoutMs: edgeConnectMs(options.slo),
      onGone: () => onGone?.(edge),
    });
  const connectEdge: Connections["connectEdge"] = ({ name, url }, edge, server = connectByUrl(url, edge)) => {
    const transport = withBodyForm(server, () => performance.now());
    open.add(transport);
    const target = modelTarget({
      name,
      kind: "edge",
      transport,
      maxInFlight: options.edgeCalls,
      assumedLatencyMs: assumedLatencyMs.edge,
      callTimeoutMs,
      mayJoin: mayJoinAt && ((model) => mayJoinAt(edge, model)),
      ...lessons,
    });
    return { transport, target: wrap(target) };
  };
  const open = new Set<Transport>();
  const edges = addresses.map((address, edge) =>
    connectEdge(address, edge, address.url === awaitedEdges.url ? awaitedTransport() : undefined),
  );
  const servers: AskedServer[] = [];
  const hasUrls = functions.some(({ url }) => url !== undefined);
  const auth = functionAuth(hasUrls ? options.functionAuth : "none", process.env);
  const capped = functions.map(({ name, url, ...size }): Transport => {
    const limit: CappedTransportOptions = {
      cap,
      functionTimeoutMs: options.functionTimeout * 1_000,
      costOf: (durationMs) => callCost(sheet, size, durationMs).cost,
      nowMs: spendClockMs,
    };
    if (url === undefined) {
      const platform = platformTransport(options, name, size, sheet, bounds.room);
      servers.push(cappedQuestions(platform, limit));
      return cappedTransport(platform, limit);
    }
    const costOf = (durationMs: number, coldStartMs: number): number =>
      callCost(sheet, size, durationMs, coldStartMs).cost;
    const server = httpTransport({ url, ...bounds, connections: options.serverlessCalls, auth, costOf });
    servers.push(cappedQuestions(server, limit));
    return cappedTransport(server, limit);
  });
  for (const transport of capped) open.add(transport);
  const inFunctions = functions.map(({ name }, index) =>
    wrap(
      modelTarget({
        name,
        kind: "serverless",
        transport: capped[index] as Transport,
        maxInFlight: options.serverlessCalls,
        assumedLatencyMs: assumedLatencyMs.serverless,
        callTimeoutMs,
        ...lessons,
      }),
    ),
  );
  const transports = edges.map(({ transport }) => transport);
  return {
    connectEdge,
    disconnect: async (edge) => {
      if (open.delete(edge)) await edge.close();
    },
    edges: transports,
    servers,
    all: [...transports, ...capped],
    targets: [...edges.map(({ target }) => target), ...inFunctions],
    close: async () => {
      await Promise.all([...open].map((transport) => transport.close()));
      open.clear();
    },
  };
}

/** An edge is near, so one that takes no connection for a part of the SLO is not there, and functions have the rest. */
function edgeConnectMs(sloS: number): number {
  return Math.min(1_000, Math.max(250, 500 * sloS));
}

/** The transport of a function that is reached through Function Compute's own call. */
function platformTransport(
  { fcEndpoint, serverlessCalls }: DaemonOptions,
  name: string,
  size: FunctionSize,
  sheet: PriceSheet,
  room: ReplyRoom,
): FcTransport {
  const { protocol, host, hostname } = endpointOf(fcEndpoint);
  const isLocal = hostname === "127.0.0.1" || hostname === "localhost" || hostname === "[::1]";
  return fcTransport({
    functionName: name,
    endpoint: host,
    protocol,
    ...functionComputeKey(process.env, isLocal),
    maxCalls: 2 * serverlessCalls,
    room,
    costOf: (durationMs, coldStartMs) => callCost(sheet, size, durationMs, coldStartMs),
  });
}

/** A bare host name means https, because the cloud's endpoints are written without a scheme. */
function endpointOf(text: string): { protocol: "http" | "https"; host: string; hostname: string } {
  try {
    const url = new URL(text.includes("://") ? text : `https://${text}`);
    if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`scheme ${url.protocol}`);
    return { protocol: url.protocol === "http:" ? "http" : "https", host: url.host, hostname: url.hostname };
  } catch {
    throw new UsageError(`--fc-endpoint is "${text}"; allowed: a host, host:port, or an http(s) URL of one`);
  }
}
