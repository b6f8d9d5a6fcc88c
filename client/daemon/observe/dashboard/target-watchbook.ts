/** Since when each target is well or away, and how far expectations of it were off. Pure: looked at once a second. */
import type { TargetCondition } from "../../../targets/target-state.ts";
import type { WireErrors, WireTarget } from "./wire.ts";

/** A pause that is shorter, such as one of a target that was busy, does not count as being away. */
export const awayAfterMs = 3_000;
/** Batches whose errors are kept, for each target. */
const mostErrors = 64;
const mostTargets = 256;

interface Standing {
  isWell: boolean;
  sinceMs: number;
  why: string | undefined;
}

export class TargetWatchbook {
  readonly #standings = new Map<string, Standing>();
  readonly #errors = new Map<string, { readonly service: ErrorRing; readonly link: ErrorRing }>();

  /** @param conditions of all targets that there are */
  look(conditions: readonly TargetCondition[], nowMs: number): void {
    for (const { name, health, why } of conditions) this.#note(name, health === "healthy", why, nowMs);
    if (this.#standings.size <= conditions.length) return;
    const names = new Set(conditions.map(({ name }) => name));
    for (const name of this.#standings.keys()) if (!names.has(name)) this.#standings.delete(name);
  }

  /** Since when a target is as it is now; undefined for one that was never looked at. */
  standingOf(name: string): Readonly<Standing> | undefined {
    return this.#standings.get(name);
  }

  /** A batch has come back, off by so much. */
  predicted(target: string, of: "service" | "link", errorMs: number): void {
    let errors = this.#errors.get(target);
    if (errors === undefined) {
      if (this.#errors.size >= mostTargets) this.#errors.clear();
      this.#errors.set(target, (errors = { service: new ErrorRing(), link: new ErrorRing() }));
    }
    errors[of].add(errorMs);
  }

  errorsOf(target: string): Pick<WireTarget, "serviceError" | "linkError"> {
    const errors = this.#errors.get(target);
    const [serviceError, linkError] = [errors?.service.summary(), errors?.link.summary()];
    return { ...(serviceError && { serviceError }), ...(linkError && { linkError }) };
  }

  #note(name: string, isWell: boolean, why: string | undefined, nowMs: number): void {
    const known = this.#standings.get(name);
    if (known === undefined) this.#standings.set(name, { isWell, sinceMs: nowMs, why });
    else if (known.isWell !== isWell) Object.assign(known, { isWell, sinceMs: nowMs, why });
    // While it is probed nothing is said of why.
    else if (why !== undefined) known.why = why;
  }
}

class ErrorRing {
  readonly #errorsMs = new Float32Array(mostErrors);
  #count = 0;

  add(errorMs: number): void {
    this.#errorsMs[this.#count++ % mostErrors] = errorMs;
  }

  summary(): WireErrors | undefined {
    const batches = Math.min(this.#count, mostErrors);
    if (batches === 0) return undefined;
    const kept = this.#errorsMs.subarray(0, batches);
    const meanMs = kept.reduce((sum, ms) => sum + ms, 0) / batches;
    const typicalMs = kept.reduce((sum, ms) => sum + Math.abs(ms), 0) / batches;
    return { batches, meanMs, typicalMs };
  }
}
