/**
 * The calibration at the daemon's start: measures every model on every target, one after another because two at once
 * would slow each other down, and makes a profile of it.
 */
import { medianOf } from "../../../base/quantile.ts";
import { estimateLink, type TimedUpload } from "../../../algorithms/network/link-estimate.ts";
import { encodeInferRequest } from "../../../protocol/encode.ts";
import type { ModelTimes, Profile, ProfiledTarget } from "../../policies/profile.ts";
import { plausibleMs } from "../../transports/reply-facts.ts";
import type { Transport } from "../../transports/transport.ts";
import type { ExampleModel } from "./example-input.ts";
import { type Measured, measure, type MeasureOptions } from "./measure.ts";

export interface CalibrationOptions extends Pick<MeasureOptions, "sizes" | "rounds" | "stop"> {
  /** The targets with nothing measured, in order, and how each is reached. */
  readonly profile: Profile;
  readonly transports: readonly Transport[];
  readonly models: readonly ExampleModel[];
  /** Replicas of edges by name, where they differ from what the models say. */
  readonly replicas?: ReadonlyMap<string, number>;
  /** For all calls together, in milliseconds from now. */
  readonly budgetMs: number;
  /** A batch that is served longer than this is of no use. */
  readonly longestMs: number;
  /** Called for each pair of target and model once it is measured. */
  readonly onMeasured?: (target: ProfiledTarget, model: string, measured: Measured) => void;
}

/** The fastest uplink that a profile may have: between two processes of one machine an upload takes no time. */
export const mostUplinkMbps = 100_000;
/** Three of four uploads reach the bandwidth of the profile. */
const bandwidthQuantile = 0.25;

/** The part of the time in which targets may start, all at once; the rest is for measuring them one by one. */
const startingPart = 0.5;

/**
 * The profile with the times of every model that a target served.
 *
 * @example
 * const models = [exampleOfZeros(describedModel("ocr-cls", metadata))];
 * await calibrate({ profile, transports: [transport], models, budgetMs: 3_000, longestMs: 1_000 });
 */
export async function calibrate(options: CalibrationOptions): Promise<Profile> {
  const { profile, transports, models, budgetMs } = options;
  const [first] = models;
  if (first === undefined) return profile;
  const endsAtMs = performance.now() + budgetMs;
  const firstCalls = await Promise.all(
    transports.map((transport) => firstCall(transport, first, startingPart * budgetMs)),
  );
  let left = profile.targets.length * models.length;
  const targets: ProfiledTarget[] = [];
  for (const [index, target] of profile.targets.entries()) {
    const transport = transports[index] as Transport;
    const times: Record<string, ModelTimes> = {};
    const uploads: TimedUpload[] = [];
    const coldStartMs: number[] = [];
    for (const model of models) {
      const nowMs = performance.now();
      const untilMs = nowMs + (endsAtMs - nowMs) / left--;
      const measured = await measure({ ...options, transport, model, untilMs });
      if (measured.serviceMs.size > 0) times[model.name] = modelTimes(measured);
      uploads.push(...measured.uploads);
      if (model === first) coldStartMs.push(...coldStartsIn(firstCalls[index], measured));
      coldStartMs.push(...measured.coldStartMs);
      options.onMeasured?.(target, model.name, measured);
    }
    targets.push({
      ...withReplicas(target, models, options.replicas?.get(target.name)),
      ...linkOf(times, uploads, target),
      models: times,
      coldStartMs,
    });
  }
  return { ...profile, targets };
}

/** The call with which a target starts; undefined when it was not answered. */
type FirstCall = { readonly coldStartMs: number | undefined; readonly elapsedMs: number } | undefined;

async function firstCall(transport: Transport, model: ExampleModel, timeoutMs: number): Promise<FirstCall> {
  const startedAtMs = performance.now();
  try {
    const wire = encodeInferRequest(model.request(1), { binary: true });
    const reply = await transport.call(model.name, wire, timeoutMs);
    const elapsedMs = performance.now() - startedAtMs;
    return { coldStartMs: plausibleMs(reply.coldStartMs, elapsedMs), elapsedMs };
  } catch {
    // The reason is logged when the target is measured.
    return undefined;
  }
}

/** How long the start took: by the target's word, else the time of the first call beyond the usual service time. */
function coldStartsIn(call: FirstCall, { serviceMs }: Measured): readonly number[] {
  if (call === undefined || call.coldStartMs === 0) return [];
  if (call.coldStartMs !== undefined) return [call.coldStartMs];
  const warm = serviceMs.get(1);
  return warm === undefined ? [] : [Math.max(0, call.elapsedMs - medianOf(warm))];
}

function withReplicas(
  target: ProfiledTarget,
  models: readonly ExampleModel[],
  replicas = Math.min(...models.map((model) => model.replicas)),
): ProfiledTarget {
  return target.kind === "edge" ? { ...target, replicas } : target;
}

function modelTimes({ serviceMs, requestBytes }: Measured): ModelTimes {
  return {
    requestBytes,
    maxBatch: Math.max(...serviceMs.keys()),
    serviceMs: Object.fromEntries(Array.from(serviceMs, ([rows, times]) => [String(rows), [...times]])),
  };
}

/** Where the server does not tell its service times, the measured ones include the link, which then takes no time. */
function linkOf(
  times: Readonly<Record<string, ModelTimes>>,
  uploads: readonly TimedUpload[],
  { link }: ProfiledTarget,
): Pick<ProfiledTarget, "link"> {
  if (Object.keys(times).length === 0) return { link };
  if (uploads.length === 0) return { link: { rttMs: 0, uplinkMbps: mostUplinkMbps } };
  const { rttMs, msPerByte } = estimateLink(uploads, link.rttMs, bandwidthQuantile);
  return { link: { rttMs, uplinkMbps: Math.min(mostUplinkMbps, 8 / (msPerByte * 1_000)) } };
}
