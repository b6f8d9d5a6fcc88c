/**
 * A site's way to its hub: a call becomes a request in the queue of its model there, and its result is the answer, whichever
 * daemon at the hub made it. Until then the site's own queue holds the request, so that the uplink may be cut at any time: a
 * call that does not get through fails at once and is tried again, and one whose result was missed is looked up.
 */
import { randomUUID } from "node:crypto";
import { SpillwayError } from "../../../../../base/errors.ts";
import { TurnoverMap } from "../../../../../base/memory/turnover-map.ts";
import { inOnePiece } from "../../../../../protocol/decode.ts";
import { bodyPieces } from "../../../../../protocol/message.ts";
import type { HttpReply, HttpTransport } from "../../../../transports/http-transport.ts";
import { noTimeLeft, NotSentFailure, type TransportReply } from "../../../../transports/transport.ts";
import { replyIn, sentCall } from "../bus-message.ts";
import type { BusResult, RequestBus } from "../request-bus.ts";

export interface HubTransportOptions {
  /** Of the hub, for messages. */
  readonly name: string;
  readonly bus: Pick<RequestBus, "mostBytes" | "onResult" | "submit" | "withdraw" | "resultOf" | "close">;
  /** Models that somebody owns there now. Rejects with a SpillwayError when the hub cannot be asked. */
  readonly models: () => Promise<readonly string[]>;
  /** Asks daemons at the hub for what models take, at the paths of V2. */
  readonly questions: Pick<HttpTransport, "get" | "close">;
  /** Why the hub must not be used; undefined: it may. */
  readonly refusal: () => SpillwayError | undefined;
}

interface OpenCall {
  readonly model: string;
  readonly sinceMs: number;
  readonly end: (result: BusResult | SpillwayError) => void;
}

/** Results that are told of may be lost with the uplink: when a call is looked up, how often, and how many at once. */
const lookAfterMs = 2_000;
const lookEveryMs = 1_000;
const mostLooks = 16;

export function hubTransport(options: HubTransportOptions): HttpTransport {
  return new HubTransport(options);
}

class HubTransport implements HttpTransport {
  readonly #options: HubTransportOptions;
  readonly #open = new TurnoverMap<string, OpenCall>();
  readonly #timer: NodeJS.Timeout;
  #looks = 0;

  constructor(options: HubTransportOptions) {
    this.#options = options;
    options.bus.onResult((id, result) => this.#open.get(id)?.end(result));
    this.#timer = setInterval(() => this.#lookForLate(), lookEveryMs).unref();
  }

  call: HttpTransport["call"] = async (model, wire, timeoutMs, _permit, trace, mostMs = timeoutMs) => {
    const { name, bus, refusal } = this.#options;
    const why = refusal();
    if (why !== undefined) throw why;
    const withinMs = Math.min(timeoutMs, mostMs);
    if (!(withinMs > 0)) throw noTimeLeft(`hub ${name}: no time was left to call it`);
    const body = inOnePiece(bodyPieces(wire));
    if (body.byteLength > bus.mostBytes)
      throw new NotSentFailure(
        "request_too_large",
        `hub ${name}: the request has ${body.byteLength} bytes; allowed: ${bus.mostBytes}`,
      );
    const id = randomUUID();
    const result = this.#result(id, model, timeoutMs);
    bus
      .submit({ id, model, withinMs, ...sentCall(model, wire, body, { withinMs, trace }) })
      .catch((error: unknown) => this.#open.get(id)?.end(notTaken(error as Error, name)));
    const ended = await result;
    if (ended instanceof SpillwayError) throw ended;
    return replyOf(ended, name);
  };

  get: HttpTransport["get"] = async (path, timeoutMs, mostBytes) => {
    const { models, questions, refusal } = this.#options;
    const why = refusal();
    if (why !== undefined) throw why;
    const asked = modelIn(path);
    if (asked !== undefined)
      return questions.get(path, timeoutMs, mostBytes).catch(async (error: unknown) => {
        // Nobody there serves the model, or nobody can be reached.
        const isThere = (await models()).includes(asked);
        if (isThere || !(error instanceof NotSentFailure)) throw error;
        return replyWith(404, { error: `nobody at the hub serves a model ${JSON.stringify(asked)}` });
      });
    const names = await within(models(), timeoutMs, this.#options.name);
    switch (path) {
      case "/v2":
        return replyWith(200, { name: "spillway", extensions: ["binary_tensor_data", "model_repository"] });
      case "/v2/models":
        return replyWith(200, { models: names });
      case "/v2/health/live":
      case "/v2/health/ready":
        return replyWith(200, { ready: true });
      default:
        return replyWith(404, { error: `no ${path.slice(0, 100)} at a hub` });
    }
  };

  post: HttpTransport["post"] = async (path, timeoutMs) => {
    if (path !== "/v2/repository/index")
      return replyWith(403, { error: `hub ${this.#options.name} loads and unloads no models for its sites` });
    const { models, name } = this.#options;
    const names = await within(models(), timeoutMs, name);
    return replyWith(
      200,
      names.map((model) => ({ name: model, state: "READY" })),
    );
  };

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const [id, { model, end }] of this.#open) {
      this.#options.bus.withdraw({ id, model });
      end(new SpillwayError("target_unreachable", `the way to hub ${this.#options.name} is closed`));
    }
    await this.#options.questions.close();
    await this.#options.bus.close();
  }

  #result(id: string, model: string, timeoutMs: number): Promise<BusResult | SpillwayError> {
    const { bus, name } = this.#options;
    return new Promise((resolve) => {
      const end = (result: BusResult | SpillwayError): void => {
        if (!this.#open.delete(id)) return;
        clearTimeout(timer);
        resolve(result);
      };
      const timer = setTimeout(() => {
        bus.withdraw({ id, model });
        end(
          new SpillwayError("target_timeout", `hub ${name} did not answer within ${Math.ceil(timeoutMs)} ms`),
        );
      }, timeoutMs);
      this.#open.set(id, { model, sinceMs: performance.now(), end });
    });
  }

  #lookForLate(): void {
    const beforeMs = performance.now() - lookAfterMs;
    for (const [id, { sinceMs, end }] of this.#open) {
      if (sinceMs > beforeMs) continue;
      if (this.#looks >= mostLooks) return;
      this.#looks++;
      void this.#options.bus
        .resultOf(id)
        .then(
          (result) => result !== undefined && end(result),
          // The hub is away; it is looked up again.
          () => {},
        )
        .finally(() => void this.#looks--);
    }
  }
}

/** The model that a path of V2 is about; undefined: none. */
export function modelIn(path: string): string | undefined {
  const asked = /^\/v2\/models\/([^/]+)/.exec(path)?.[1];
  return asked === undefined ? undefined : decodeURIComponent(asked);
}

function replyOf(result: BusResult, name: string): TransportReply {
  const { status, wire, code, retryAfterMs } = replyIn(result);
  // Its queue is full, or nobody had time: that says nothing of the hub's health.
  if (code === "queue_full")
    throw new SpillwayError("overloaded", `hub ${name}: its queue is full`, { retryAfterMs });
  if (code === "deadline_passed")
    throw new SpillwayError("target_timeout", `hub ${name}: nobody there took it in time`, {
      isOfTarget: false,
    });
  return {
    status,
    wire,
    durationMs: undefined,
    coldStartMs: 0,
    mayHaveStarted: false,
    cost: 0,
    retryAfterMs,
  };
}

/** Why the hub did not take a request. */
function notTaken(error: Error, name: string): SpillwayError {
  const text = `hub ${name}: ${error.message}`;
  if (!(error instanceof SpillwayError)) return new SpillwayError("target_unreachable", text);
  const { code, retryAfterMs } = error;
  if (code === "queue_full") return new NotSentFailure("overloaded", text, { retryAfterMs });
  if (code !== "target_unavailable") return error;
  // Nobody listens there: it was not sent for certain.
  const isNotSent = (error.cause as Error | undefined)?.name === "JetStreamNotEnabled";
  return isNotSent
    ? new NotSentFailure("target_unreachable", text)
    : new SpillwayError("target_unreachable", text);
}

function replyWith(status: number, value: object): HttpReply {
  return { status, body: new TextEncoder().encode(JSON.stringify(value)), coldStartMs: 0 };
}

async function within<Value>(asked: Promise<Value>, timeoutMs: number, name: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const why = `hub ${name} did not answer within ${Math.ceil(timeoutMs)} ms`;
    timer = setTimeout(() => reject(new SpillwayError("target_unreachable", why)), timeoutMs);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
