/**
 * The names that callers give models, and those under which the queue knows them: a model, the default one, or one
 * version of a model that has several, which goes by a name of its own (`protocol/model-path.ts`).
 */
import { showValue } from "../../base/error-text.ts";
import { SpillwayError } from "../../base/errors.ts";
import { versionedModel, versionedName } from "../../protocol/model-path.ts";
import { jsonIn } from "../transports/reply-text.ts";
import { notFound } from "./directory-edges.ts";
import type { ModelDirectory } from "./model-directory.ts";

/** Models that are asked whether they are the default one. */
const maxCandidates = 64;

/** What metadata says of a model. */
interface KnownModel {
  readonly versions: readonly string[] | undefined;
  readonly isDefault: boolean;
}

export class ModelNames {
  readonly #directory: ModelDirectory;

  constructor(directory: ModelDirectory) {
    this.#directory = directory;
  }

  /**
   * The name under which a model, or one version of it, is queued: the model's own where it has that version alone.
   *
   * @throws SpillwayError when no target serves it, or none that could be asked does
   */
  async resolve(model: string, version?: string): Promise<string> {
    if (version === undefined) {
      if (!(await this.#directory.lacks(model))) return model;
      throw notFound(model, this.#directory.known);
    }
    const plain = await this.#knownModel(model);
    if (plain !== undefined && plain.versions?.length === 1 && plain.versions[0] === version) return model;
    const name = versionedName(model, version);
    const reply = await this.#directory.describeLately(name).catch(() => undefined);
    if (reply === undefined || reply.status === 200 || reply.status >= 500) return name;
    const there = plain?.versions === undefined ? "" : `; there is: ${plain.versions.join(", ")}`;
    throw new SpillwayError(
      "model_not_found",
      `no version ${showValue(version)} of model ${showValue(model)}${there}`,
    );
  }

  /**
   * The model that answers requests which name none: the only one, else the one that its edge calls the default.
   *
   * @throws SpillwayError when there is none
   */
  async defaultModel(): Promise<string> {
    const names =
      this.#directory.known.length > 0
        ? this.#directory.known
        : ((await this.#directory.list().catch(() => undefined)) ?? []);
    if (names.length === 1) return names[0] as string;
    const candidates = names.slice(0, maxCandidates);
    const each = await Promise.all(candidates.map((name) => this.#knownModel(name)));
    const found = candidates.find((_, index) => each[index]?.isDefault === true);
    if (found !== undefined) return found;
    const known = names.join(", ") || "none";
    const how = "there is no default model; name one in the path, as in /v2/models/NAME/infer";
    throw new SpillwayError("model_not_found", `${how}; there are: ${known}`);
  }

  /** The latest version of a model by its metadata as last seen; undefined when it names none. */
  versionOf(model: string): string | undefined {
    const { version } = versionedModel(model);
    if (version !== undefined) return version;
    const kept = this.#directory.keptMetadata(model);
    const versions = kept === undefined ? undefined : knownIn(kept).versions;
    return (
      versions?.at(-1) ??
      this.#directory.listedVersions(model).findLast(({ version: listed }) => listed)?.version
    );
  }

  async #knownModel(model: string): Promise<KnownModel | undefined> {
    const reply = await this.#directory.describeLately(model).catch(() => undefined);
    return reply?.status === 200 ? knownIn(reply.body) : undefined;
  }
}

function knownIn(metadata: Uint8Array): KnownModel {
  const { versions, parameters } = (jsonIn(metadata) ?? {}) as { versions?: unknown; parameters?: unknown };
  const isDefault = (parameters as { default?: unknown } | null | undefined)?.default;
  const listed = Array.isArray(versions) && versions.length > 0 ? versions.map(String) : undefined;
  return { versions: listed, isDefault: isDefault === true };
}
