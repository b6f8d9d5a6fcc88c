/**
 * Asks a V2 server which models it has. The index is an optional extension and its forms differ: some servers need
 * `ready` in the question, some have nulls or no state in the answer, and some list names at `GET /v2/models` alone.
 */
import { type HttpTransport } from "../transports/http-transport.ts";
import { mostIndexBytes } from "../transports/reply-body.ts";
import { jsonIn } from "../transports/reply-text.ts";

/** Longest time that a server may take to answer. */
const answerTimeoutMs = 5_000;
/** Entries of a list that are read; who has more models than that has to name those that matter. */
const mostEntries = 10_000;
/** Longest name and version of a model, and longest words about its state, in characters. */
const mostChars = { name: 256, version: 64, state: 64, reason: 200 };

/** A version of a model as a server lists it. */
export interface ListedModel {
  readonly name: string;
  readonly version?: string;
  /** Such as `READY`, which it is taken for where the server does not say. */
  readonly state: string;
  readonly reason?: string;
  /** The server loads it when it is asked, at the cost of others: an extension of our edge. */
  readonly isOnDemand?: true;
}

/**
 * Every model that the server lists; undefined when it lists none in a known form. Rejects with a SpillwayError when it
 * does not answer.
 */
export async function listedModels(
  transport: Pick<HttpTransport, "get" | "post">,
): Promise<readonly ListedModel[] | undefined> {
  const index = await transport.post(
    "/v2/repository/index",
    answerTimeoutMs,
    { ready: false },
    { mostBytes: mostIndexBytes },
  );
  if (index.status === 200) {
    const listed = modelsIn(index.body);
    if (listed !== undefined) return listed;
  }
  const names = await transport.get("/v2/models", answerTimeoutMs, mostIndexBytes);
  return names.status === 200 ? modelsIn(names.body) : undefined;
}

/** The entries of a list that name a model, the first of very many; undefined when the body is no list. */
function modelsIn(body: Uint8Array): ListedModel[] | undefined {
  const json = jsonIn(body);
  const list = Array.isArray(json) ? json : (json as { models?: unknown } | undefined)?.models;
  return Array.isArray(list) ? list.slice(0, mostEntries).flatMap(entryOf) : undefined;
}

function entryOf(entry: unknown): ListedModel[] {
  const {
    name,
    version,
    state,
    reason,
    on_demand: onDemand,
  } = (typeof entry === "string" ? { name: entry } : (entry ?? {})) as Readonly<Record<string, unknown>>;
  // A lone surrogate cannot be part of a path.
  if (typeof name !== "string" || name === "" || name.length > mostChars.name) return [];
  if (/\p{Surrogate}/u.test(name)) return [];
  const isVersion = typeof version === "string" || typeof version === "number";
  if (isVersion && String(version).length > mostChars.version) return [];
  return [
    {
      name,
      state: typeof state === "string" ? state.slice(0, mostChars.state).toUpperCase() : "READY",
      ...(isVersion && { version: String(version) }),
      ...(onDemand === true && { isOnDemand: true }),
      ...(typeof reason === "string" && { reason: reason.slice(0, mostChars.reason) }),
    },
  ];
}
