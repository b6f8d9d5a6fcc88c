/** What the server says of the queues of models, kept for a moment, and what its clock says. */
import type { ConsumerInfo } from "@nats-io/jetstream";
import type { Engine } from "../../../../base/nats/engine.ts";
import { apiCodes, codeOf } from "./bus-streams.ts";

const keptMs = 1_000;
const mostKept = 1_000;
const clockEveryMs = 60_000;

interface KeptInfo {
  readonly info: Promise<ConsumerInfo | undefined>;
  readonly untilMs: number;
}

export class ConsumerInfos {
  readonly #engine: Engine;
  readonly #kept = new Map<string, KeptInfo>();
  #offsetMs = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async exists(model: string): Promise<boolean> {
    return (await this.#of(model)) !== undefined;
  }

  async hasOwner(model: string): Promise<boolean> {
    const info = await this.#of(model);
    return info !== undefined && isOwned(info);
  }

  /** The time by the server's clock, which gives messages their times, as well as it is known. */
  serverNowMs(): number {
    return Date.now() + this.#offsetMs;
  }

  /** Asks for the server's time now and then, until the signal. Servers before 2.10 do not tell it. */
  watchClock(stop: AbortSignal): void {
    const look = (): void => void this.#look().catch(() => {});
    look();
    const timer = setInterval(look, clockEveryMs).unref();
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  async #look(): Promise<void> {
    const sentMs = Date.now();
    const { ts } = (await this.#engine.manager.streams.info(this.#engine.names.requests.stream)) as {
      readonly ts?: string;
    };
    const gotMs = Date.now();
    if (ts !== undefined) this.#offsetMs = Date.parse(ts) - (sentMs + gotMs) / 2;
  }

  #of(model: string): Promise<ConsumerInfo | undefined> {
    const nowMs = performance.now();
    const kept = this.#kept.get(model);
    if (kept !== undefined && kept.untilMs > nowMs) return kept.info;
    const { requests } = this.#engine.names;
    const info = this.#engine.manager.consumers
      .info(requests.stream, requests.consumer(model))
      .catch((error: unknown) => {
        if (codeOf(error) === apiCodes.consumerMissing) return undefined;
        this.#kept.delete(model);
        throw error;
      });
    if (this.#kept.size >= mostKept) this.#kept.clear();
    this.#kept.set(model, { info, untilMs: nowMs + keptMs });
    return info;
  }
}

function isOwned(info: ConsumerInfo): boolean {
  const { priority_groups: groups = [] } = info as ConsumerInfo & {
    readonly priority_groups?: readonly { readonly pinned_client_id?: string }[];
  };
  const isPinned = groups.some(({ pinned_client_id: id = "" }) => id !== "");
  return isPinned || info.num_waiting > 0 || info.num_ack_pending > 0;
}

/** The models that somebody owns now, the first of very many. One whose name is too long for a token is left out. */
export async function ownedModels({ manager, names }: Pick<Engine, "manager" | "names">): Promise<string[]> {
  const owned: string[] = [];
  const { requests } = names;
  for await (const info of manager.consumers.list(requests.stream)) {
    const model = requests.modelOf(info.name);
    if (model !== undefined && isOwned(info)) owned.push(model);
    if (owned.length === mostKept) break;
  }
  return owned;
}
