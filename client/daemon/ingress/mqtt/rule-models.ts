/**
 * The models that rules bring: the daemon has the edges install them by the V2 repository API, which fetches the zip,
 * checks it and tries the model before it serves. A rule starts when that is done. A model whose checksum changes is
 * installed again while the version before it serves.
 */
import type { Logger } from "pino";
import { shortened } from "../../../../base/error-text.ts";
import { UsageError } from "../../../../base/usage-error.ts";
import type { CompiledRule } from "./rules/compiled-rule.ts";
import type { RuleModel } from "./rules/config/rule-fields.ts";

/** An edge that models can be installed at. */
export interface InstallEdge {
  readonly name: string;
  readonly url: string;
}

export interface RuleModelsOptions {
  /** The edges of now. */
  readonly edges: () => readonly InstallEdge[];
  /** The admin token of an edge; undefined: there is none for it. */
  readonly tokenOf: (edge: InstallEdge) => string | undefined;
  /** A model became usable, or one that was not is given up for now. */
  readonly onChange: () => void;
  readonly log: Pick<Logger, "info" | "error">;
  /** Default: fetch. */
  readonly send?: typeof fetch;
}

/** Time that fetching, trying and loading may take, in milliseconds. */
const installTimeoutMs = 600_000;
/** Pause before a failed installation is tried again, in milliseconds. */
const againMs = 30_000;
/** How often it is looked for edges that do not have the models yet, in milliseconds. */
const lookEveryMs = 5_000;

interface WantedModel {
  model: RuleModel;
  /** Edges that have it, by URL. */
  done: Set<string>;
  /** It can be used at some edge, in this version or the one before. */
  isReady: boolean;
  /** Why it cannot be used, once that was tried. */
  why: string | undefined;
  tried: Promise<void> | undefined;
  nextAtMs: number;
}

export class RuleModels {
  readonly #options: RuleModelsOptions;
  readonly #wanted = new Map<string, WantedModel>();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RuleModelsOptions) {
    this.#options = options;
  }

  /** @throws UsageError when two rules want different zips of one model */
  static check(rules: readonly Pick<CompiledRule, "id" | "model">[]): void {
    const seen = new Map<string, { readonly id: string; readonly key: string }>();
    for (const { id, model } of rules) {
      if (model.zip === undefined) continue;
      const other = seen.get(model.name);
      const key = keyOf(model);
      if (other !== undefined && other.key !== key)
        throw new UsageError(
          `rules ${other.id} and ${id} name different zips for model ${model.name}; allowed: one`,
        );
      seen.set(model.name, { id, key });
    }
  }

  /** From now on these rules' models are installed where they are missing. */
  want(rules: readonly Pick<CompiledRule, "model">[]): void {
    const models = new Map(
      rules.filter(({ model }) => model.zip !== undefined).map(({ model }) => [model.name, model]),
    );
    for (const name of this.#wanted.keys()) if (!models.has(name)) this.#wanted.delete(name);
    for (const model of models.values()) {
      const known = this.#wanted.get(model.name);
      if (known === undefined)
        this.#wanted.set(model.name, {
          model,
          done: new Set(),
          isReady: false,
          why: undefined,
          tried: undefined,
          nextAtMs: 0,
        });
      else if (keyOf(known.model) !== keyOf(model))
        Object.assign(known, { model, done: new Set(), nextAtMs: 0 });
    }
    this.#look();
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
  }

  /** Whether the rule's model can be used, as far as that is up to an installation. */
  isReady({ model }: Pick<CompiledRule, "model">): boolean {
    return model.zip === undefined || (this.#wanted.get(model.name)?.isReady ?? false);
  }

  /** Resolves once the model can be used, or with why it cannot. Undefined: it can be used now. */
  ready(rule: Pick<CompiledRule, "model">): Promise<string | undefined> | undefined {
    if (this.isReady(rule)) return undefined;
    const wanted = this.#wanted.get(rule.model.name);
    if (wanted === undefined) return undefined;
    if (wanted.why !== undefined || wanted.tried === undefined)
      return Promise.resolve(wanted.why ?? "its model is not installed yet");
    return wanted.tried.then(() => (wanted.isReady ? undefined : wanted.why));
  }

  /** What each model waits for, or has failed with. */
  state(): readonly {
    readonly model: string;
    readonly isReady: boolean;
    readonly why?: string | undefined;
  }[] {
    return Array.from(this.#wanted.values(), ({ model, isReady, why }) => ({
      model: model.name,
      isReady,
      why,
    }));
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stop.abort();
  }

  #look(): void {
    const nowMs = performance.now();
    for (const wanted of this.#wanted.values()) {
      if (wanted.tried !== undefined || nowMs < wanted.nextAtMs) continue;
      const missing = this.#options.edges().filter(({ url }) => !wanted.done.has(url));
      if (missing.length === 0) continue;
      wanted.tried = this.#installAll(wanted, missing).finally(() => {
        wanted.tried = undefined;
        this.#options.onChange();
      });
    }
  }

  async #installAll(wanted: WantedModel, edges: readonly InstallEdge[]): Promise<void> {
    const { log } = this.#options;
    const { model } = wanted;
    let failed: string | undefined;
    await Promise.all(
      edges.map(async (edge) => {
        try {
          await this.#install(model, edge);
          // The checksum may have changed meanwhile.
          if (wanted.model === model) wanted.done.add(edge.url);
          wanted.isReady = true;
          log.info({ model: model.name, edge: edge.name, zip: model.zip }, "model of a rule is installed");
        } catch (error) {
          if (this.#stop.signal.aborted) return;
          failed = `${edge.name}: ${shortened((error as Error).message)}`;
          log.error(
            { model: model.name, edge: edge.name, why: (error as Error).message },
            "model of a rule is not installed",
          );
        }
      }),
    );
    wanted.why = failed;
    if (failed !== undefined) wanted.nextAtMs = performance.now() + againMs;
  }

  async #install({ name, zip, sha256, md5 }: RuleModel, edge: InstallEdge): Promise<void> {
    const token = this.#options.tokenOf(edge);
    const { send = fetch } = this.#options;
    const parameters = {
      spillway_zip: zip,
      ...(sha256 !== undefined && { spillway_sha256: sha256 }),
      ...(md5 !== undefined && { spillway_md5: md5 }),
    };
    const url = `${edge.url.replace(/\/$/, "")}/v2/repository/models/${encodeURIComponent(name)}/load`;
    const reply = await send(url, {
      method: "POST",
      body: JSON.stringify({ parameters }),
      headers: {
        "content-type": "application/json",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(installTimeoutMs)]),
    });
    const text = (await reply.text()).slice(0, 2_000);
    if (!reply.ok) throw new Error(`status ${reply.status}: ${errorIn(text)}`);
  }
}

function keyOf({ zip, sha256, md5 }: RuleModel): string {
  return JSON.stringify([zip, sha256, md5]);
}

function errorIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    return typeof error === "string" ? error : text;
  } catch {
    return text;
  }
}
