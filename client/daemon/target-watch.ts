/**
 * What is known of each target for people and programs that ask whether the daemon can serve: whether edges take
 * connections now, what functions said last, and which models are measured there. Functions are not asked, because that is
 * billed.
 */
import type { ProfiledTarget } from "../policies/profile.ts";
import type { TargetKind } from "../targets/target.ts";
import type { HttpTransport } from "../transports/http-transport.ts";
import { replyFault } from "../transports/reply-fault.ts";

/** Longest time that an edge may take to answer, and how old its answer may be before it is asked again. */
const answerTimeoutMs = 1_000;
const freshForMs = 1_000;

/** A target, and how it is reached. */
export interface WatchedTarget {
  readonly name: string;
  readonly kind: TargetKind;
  /** Its address, for people. */
  readonly at: string;
  /** Of an edge. */
  readonly transport?: Pick<HttpTransport, "get"> | undefined;
  /** What it has, as it listed or described last. */
  readonly models: () => readonly string[];
  /** Of a function: whether it answered last, and why not; undefined: it was not asked. */
  readonly answered?: (() => { readonly why: string | undefined } | undefined) | undefined;
}

export interface TargetReport extends Pick<WatchedTarget, "name" | "kind" | "at"> {
  /** Undefined for a function that was not called yet. */
  readonly isReachable: boolean | undefined;
  /** Why it cannot be reached. */
  readonly why?: string;
  readonly models: readonly string[];
  /** Models whose times were measured there at start, and those whose times were assumed. */
  readonly measured: readonly string[];
  readonly assumed: readonly string[];
}

export class TargetWatch {
  readonly #targets: () => readonly WatchedTarget[];
  readonly #nowMs: () => number;
  #profile: readonly Pick<ProfiledTarget, "name" | "models">[] = [];
  #looking: Promise<readonly TargetReport[]> | undefined;
  #seen: { readonly reports: readonly TargetReport[]; readonly atMs: number } | undefined;

  /**
   * @param targets those that there are now
   * @param nowMs monotonic time
   */
  constructor(targets: () => readonly WatchedTarget[], nowMs: () => number) {
    this.#targets = targets;
    this.#nowMs = nowMs;
  }

  /** What was measured of the targets. */
  measured(profile: readonly Pick<ProfiledTarget, "name" | "models">[]): void {
    this.#profile = profile;
    this.#seen = undefined;
  }

  /** A target has come or gone; `profiled` is what was measured of one that has come. */
  changed(profiled?: Pick<ProfiledTarget, "name" | "models">): void {
    this.#seen = undefined;
    if (profiled === undefined) return;
    this.#profile = [...this.#profile.filter(({ name }) => name !== profiled.name), profiled];
  }

  /** Whether times of the model were measured at the target, and not assumed. */
  hasMeasured(target: string, model: string): boolean {
    const times = this.#profile.find(({ name }) => name === target)?.models[model];
    return times !== undefined && times.isAssumed !== true;
  }

  /** Models of a target were measured since. */
  learned(target: string, models: ProfiledTarget["models"]): void {
    const before = this.#profile.find(({ name }) => name === target)?.models;
    this.changed({ name: target, models: { ...before, ...models } });
  }

  /** Each target as it is now, at most a second ago, in their order. Never rejects; a look under way is shared. */
  look(): Promise<readonly TargetReport[]> {
    if (this.#seen !== undefined && this.#nowMs() - this.#seen.atMs < freshForMs)
      return Promise.resolve(this.#seen.reports);
    this.#looking ??= Promise.all(this.#targets().map((target) => this.#report(target)))
      .then((reports) => {
        this.#seen = { reports, atMs: this.#nowMs() };
        return reports;
      })
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #report({ name, kind, at, transport, models, answered }: WatchedTarget): Promise<TargetReport> {
    const times = this.#profile.find((target) => target.name === name)?.models ?? {};
    const isAssumed = (model: string): boolean => times[model]?.isAssumed === true;
    const measured = Object.keys(times).filter((model) => !isAssumed(model));
    const assumed = Object.keys(times).filter(isAssumed);
    const why = transport === undefined ? undefined : await whyUnreachable(transport);
    const said = transport === undefined ? answered?.() : { why };
    // A function that was measured answered when that was done.
    const isReachable =
      said === undefined ? (measured.length > 0 ? true : undefined) : said.why === undefined;
    return {
      name,
      kind,
      at,
      isReachable,
      ...(said?.why !== undefined && { why: said.why }),
      models: models(),
      measured,
      assumed,
    };
  }
}

/**
 * Any answer of the server will do: not every one has this endpoint, and what it says of itself may concern one model. A
 * gateway that reaches nobody is none.
 */
export async function whyUnreachable(transport: Pick<HttpTransport, "get">): Promise<string | undefined> {
  try {
    const { status, body } = await transport.get("/v2/health/ready", answerTimeoutMs);
    const fault = status > 501 && status !== 503 ? replyFault({ status, wire: { body } }) : undefined;
    return fault?.isOfTarget === true ? fault.message : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
