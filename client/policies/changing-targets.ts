/**
 * What a queue's policies know of its targets while these come and go: the profile of each by index, and which models each
 * serves. A policy for one key plans with the edges that serve the key's model, and with no others.
 */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { ProfiledTarget } from "./profile.ts";
import { profiledTargets, standInFor } from "./profiled-targets.ts";
import type { TargetProfile } from "./target-profile.ts";

export class ChangingTargets {
  readonly #prices: PriceSheet;
  /** By index; that of a target that was removed stays until another one has its index. */
  readonly #profiles: ProfiledTarget[];
  readonly #removed = new Set<number>();
  /** By index, where a target does not serve every model. */
  readonly #served = new Map<number, ReadonlySet<string>>();
  /** Computed once for each model, because every new shape brings a new key. */
  readonly #byModel = new Map<string, readonly TargetProfile[]>();

  /** @param profiles in the order of the queue's targets; each has at least one model */
  constructor(profiles: readonly ProfiledTarget[], prices: PriceSheet) {
    this.#profiles = [...profiles];
    this.#prices = prices;
  }

  /** The model whose times are used for that one: itself, or one that stands in. */
  standInFor(model: string): string {
    const live = this.#profiles.filter((_, index) => !this.#removed.has(index));
    return standInFor(model, live);
  }

  /** All targets by index, as a policy for that model knows them; those included that were removed. */
  profilesOf(model: string): readonly TargetProfile[] {
    let profiles = this.#byModel.get(model);
    if (profiles === undefined) {
      const standIn = this.standInFor(model);
      profiles = profiledTargets(this.#profiles, standIn, this.#prices, standIn !== model);
      this.#byModel.set(model, profiles);
    }
    return profiles;
  }

  /** The target as a policy for that model knows it, of whose times those of `standIn` may be used. */
  profileAt(target: number, model: string, standIn: string): TargetProfile {
    const profiled = this.#profiles[target] as ProfiledTarget;
    const used = profiled.models[model] === undefined ? standIn : model;
    const [profile] = profiledTargets([profiled], used, this.#prices, used !== model);
    return profile as TargetProfile;
  }

  /** @param listedAs the name under which targets list the model */
  serves(target: number, listedAs: string): boolean {
    return !this.#removed.has(target) && this.#served.get(target)?.has(listedAs) !== false;
  }

  isEdge(target: number): boolean {
    return this.#profiles[target]?.kind === "edge";
  }

  /** Indices of all targets. */
  *indices(): Generator<number> {
    yield* this.#profiles.keys();
  }

  add(target: number, profile: ProfiledTarget): void {
    this.#profiles[target] = profile;
    this.#removed.delete(target);
    this.#byModel.clear();
  }

  remove(target: number): void {
    this.#removed.add(target);
    this.#served.delete(target);
    this.#byModel.clear();
  }

  /** Times of some models of a target have become known; policies that are there already learn them while they serve. */
  measured(target: number, models: ProfiledTarget["models"]): void {
    const profile = this.#profiles[target];
    if (profile === undefined) return;
    this.#profiles[target] = { ...profile, models: { ...profile.models, ...models } };
    this.#byModel.clear();
  }

  /** @param models undefined: all */
  serve(target: number, models: readonly string[] | undefined): void {
    if (models === undefined) this.#served.delete(target);
    else this.#served.set(target, new Set(models));
  }
}
