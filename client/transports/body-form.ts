/**
 * A transport to a V2 server that need not have the binary extension. The server is asked once for its extensions, and
 * again after it was away; without the extension its calls are plain JSON. A server that names it, or that cannot be
 * asked, may still refuse a body that it cannot read: then JSON is tried once, and kept for the model where it works.
 */
import { Lru } from "../../base/memory/lru.ts";
import { SpillwayError } from "../../base/errors.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { bodyPieces, type InferRequest, type WireBody, type WireParts } from "../../protocol/message.ts";
import type { Parameters } from "../../protocol/tensor.ts";
import type { HttpTransport } from "./http-transport.ts";
import { jsonIn } from "./reply-text.ts";
import type { TraceContext } from "../../protocol/trace-context.ts";
import type { Permit, TransportReply } from "./transport.ts";

/** A question for the extensions takes a part of the call's time, and at most so long. */
const askingPart = 0.25;
const longestAskMs = 1_000;
/** A server that could not be asked, or a model whose JSON was refused as well, is left in peace for so long. */
const notAgainForMs = { server: 5_000, model: 60_000 };
/** Extensions of a server that are kept, and the longest name of one, in characters. */
const mostExtensions = 64;
const mostExtensionChars = 100;
/** Models of which it is remembered what they take. */
const mostModels = 256;
const binaryExtension = /^binary_tensor_data/;
/** What servers say of a body that they cannot read. */
const cannotRead = /json|utf-?8|unicode|decod|pars|serial|media.?type|content.?type|field required|binary/i;

export interface FormedTransport extends HttpTransport {
  /** The extensions that the server named last; undefined when it named none. */
  readonly extensions: readonly string[] | undefined;
}

/** What is known of a model: that it takes JSON, or that both forms were refused at that time. */
type ModelForm = "json" | { readonly refusedAtMs: number };

/**
 * @param inner is closed with it
 * @param nowMs monotonic time
 *
 * @example
 * const edge = withBodyForm(httpTransport({ url, connections: 4 }), () => clock.nowMs());
 * await edge.call("m", encodeInferRequest(request, { binary: true }), 1_000); // JSON where the server needs it
 */
export function withBodyForm(inner: HttpTransport, nowMs: () => number): FormedTransport {
  return new FormingTransport(inner, nowMs);
}

class FormingTransport implements FormedTransport {
  readonly #inner: HttpTransport;
  readonly #nowMs: () => number;
  #models = new Lru<string, ModelForm>(mostModels);
  #extensions: readonly string[] | undefined;
  /** When it is to be asked next; Infinity once it has answered, until it goes away. */
  #askAtMs = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(inner: HttpTransport, nowMs: () => number) {
    this.#inner = inner;
    this.#nowMs = nowMs;
  }

  get extensions(): readonly string[] | undefined {
    return this.#extensions;
  }

  async call(
    model: string,
    wire: WireBody | WireParts,
    timeoutMs: number,
    _permit?: Permit,
    trace?: TraceContext,
    withinMs?: number,
  ): Promise<TransportReply> {
    const untilMs = this.#nowMs() + timeoutMs;
    const leftMs = (): number => untilMs - this.#nowMs();
    const send = (body: WireBody | WireParts): Promise<TransportReply> =>
      this.#send(model, body, leftMs(), trace, withinMs);
    if (this.#nowMs() >= this.#askAtMs) await this.#learnExtensions(timeoutMs);
    const isBinary = wire.headerBytes !== undefined;
    if (isBinary && (this.#takesJsonOnly() || this.#models.get(model) === "json")) return send(inJson(wire));
    const reply = await send(wire);
    if (!isBinary || !this.#mayTryJson(model, reply)) return reply;
    let plain: WireBody;
    try {
      plain = inJson(wire);
    } catch {
      return reply;
    }
    if (leftMs() <= 0) return reply;
    const second = await send(plain);
    this.#models.set(model, second.status === 200 ? "json" : { refusedAtMs: this.#nowMs() });
    return second.status === 200 ? second : reply;
  }

  get: HttpTransport["get"] = (...question) => this.#inner.get(...question);
  post: HttpTransport["post"] = (...question) => this.#inner.post(...question);
  close = (): Promise<void> => this.#inner.close();

  async #send(
    model: string,
    wire: WireBody | WireParts,
    timeoutMs: number,
    trace: TraceContext | undefined,
    withinMs: number | undefined,
  ): Promise<TransportReply> {
    try {
      return await this.#inner.call(model, wire, timeoutMs, undefined, trace, withinMs);
    } catch (error) {
      const wasAway = error instanceof SpillwayError && error.code === "target_unreachable";
      // Another server may come in its place.
      if (wasAway && this.#askAtMs === Infinity) this.#askAtMs = -Infinity;
      throw error;
    }
  }

  #takesJsonOnly(): boolean {
    return this.#extensions?.every((name) => !binaryExtension.test(name)) === true;
  }

  #mayTryJson(model: string, { status, wire }: TransportReply): boolean {
    if (status !== 400 && status !== 415 && status !== 422 && status !== 500) return false;
    const known = this.#models.get(model);
    if (typeof known === "object" && this.#nowMs() - known.refusedAtMs < notAgainForMs.model) return false;
    return cannotRead.test(new TextDecoder().decode(wire.body.subarray(0, 4_096)));
  }

  /** Never rejects: a server that does not answer is taken for one that has the extension. */
  async #learnExtensions(timeoutMs: number): Promise<void> {
    const waitMs = Math.min(longestAskMs, askingPart * timeoutMs);
    this.#asking ??= this.#ask(waitMs).finally(() => (this.#asking = undefined));
    await this.#asking;
  }

  async #ask(timeoutMs: number): Promise<void> {
    try {
      const { status, body } = await this.#inner.get("/v2", timeoutMs);
      const named =
        status === 200 ? (jsonIn(body) as { extensions?: unknown } | undefined)?.extensions : undefined;
      const names = Array.isArray(named) ? named.filter(isExtension).slice(0, mostExtensions) : undefined;
      if (JSON.stringify(names) !== JSON.stringify(this.#extensions)) this.#models = new Lru(mostModels);
      this.#extensions = names;
      this.#askAtMs = Infinity;
    } catch {
      // What it said before it went away counts until it says something else.
      this.#askAtMs = this.#nowMs() + notAgainForMs.server;
    }
  }
}

function isExtension(name: unknown): name is string {
  return typeof name === "string" && name.length <= mostExtensionChars;
}

/**
 * The request in JSON, with its outputs in JSON.
 *
 * @throws SpillwayError when JSON cannot state it
 */
function inJson(wire: WireBody | WireParts): WireBody {
  const {
    parameters,
    outputs,
    template: _,
    ...request
  } = decodeInferRequest(bodyPieces(wire), wire.headerBytes);
  const plain: InferRequest = { ...request, parameters: withoutForm(parameters) };
  if (outputs !== undefined)
    plain.outputs = outputs.map(({ name, parameters: own = {} }) => {
      return { name, parameters: withoutForm(own) };
    });
  try {
    return encodeInferRequest(plain, { binary: false });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const isTooLong = /of JSON; allowed/.test(error.message);
    throw new SpillwayError(
      isTooLong ? "request_too_large" : "request_rejected",
      `the server takes JSON alone: ${error.message}`,
    );
  }
}

function withoutForm(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !name.startsWith("binary_data")));
}
