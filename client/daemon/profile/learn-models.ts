/**
 * Learns at start which models there are and what each takes: from `--models`, from edges, and from functions where no edge
 * tells. Makes a request of each to measure it with.
 */
import { SpillwayError } from "../../../base/errors.ts";
import { Semaphore } from "../../../base/semaphore.ts";
import { encodeInferRequest } from "../../../protocol/encode.ts";
import type { HttpReply } from "../../transports/http-transport.ts";
import type { Transport } from "../../transports/transport.ts";
import type { ModelRule } from "../joining/batch-rules.ts";
import type { ProfileSource } from "./daemon-profile.ts";
import {
  type DescribedModel,
  describedModel,
  type ExampleModel,
  exampleOfZeros,
  loneExampleOfZeros,
} from "./example-input.ts";
import { usualSizes } from "./measure.ts";
import { exampleOfRequest, type GivenExample } from "./named-models.ts";
import { payloadExample } from "./payload/payload-requests.ts";

/** Models that targets are asked about at once. */
const askedAtOnce = 8;
/** Listed models that are asked about at start; more have to be named. */
const mostListed = 256;
/** How long new questions are asked beside the time for measuring, in milliseconds. */
const longestAskingMs = 10_000;
/** Sizes that are tried in turn for dimensions which a model leaves open. A larger input is more like a real one. */
const triedSizes = [8, 4, 2, 1];
/** Longest time that one trial takes, in milliseconds, and the part of the time for measuring that all may take. */
const longestTrialMs = 2_000;
const partForTrials = 0.25;
/** How long an edge may take to name an example, in milliseconds, since it may have to try some; and what it has always. */
const longestExampleMs = 5_000;
const leastExampleMs = 250;
/** Of generated texts and pictures. */
const payloadSeed = 1;

type ExampleSource = Pick<ProfileSource, "options" | "models" | "rules" | "transports" | "log">;

export interface LearnedModel {
  readonly name: string;
  /** Its metadata, or the refusal of it; undefined when no target answered. */
  readonly reply: HttpReply | undefined;
  readonly given: GivenExample | undefined;
  /** Whether all targets say that there is no such model. */
  readonly isUnknown: boolean;
  /** It was not asked about, because its edge would have had to load it. */
  readonly isOnDemand?: true;
}

/**
 * The models that `--models` names, else all that a target lists. What is not described is logged.
 *
 * @param stop ends the learning at once, with nothing
 */
export async function learnModels(
  source: ProfileSource,
  stop: AbortSignal,
): Promise<readonly LearnedModel[]> {
  if (stop.aborted) return [];
  const stopped = new Promise<readonly LearnedModel[]>((resolve) => {
    stop.addEventListener("abort", () => resolve([]), { once: true });
  });
  return Promise.race([learned(source, stop), stopped]);
}

async function learned(source: ProfileSource, stop: AbortSignal): Promise<readonly LearnedModel[]> {
  const { options, named, models, log } = source;
  const untilMs = performance.now() + longestAskingMs + 1_000 * options.calibrate;
  let listed: readonly string[] = [];
  try {
    const all = (await models.list()) ?? [];
    listed = all.slice(0, mostListed);
    if (all.length > mostListed && named === undefined)
      log.warn(
        { listed: all.length, asked: mostListed },
        "targets list many models; --models names those to measure",
      );
    if (listed.length === 0 && named === undefined)
      log.warn("no target lists its models; --models names those to measure");
  } catch (error) {
    log.warn({ why: (error as Error).message }, "no target says which models it has");
  }
  const few = new Semaphore(askedAtOnce);
  const all = await Promise.all(
    [...(named?.keys() ?? listed)].map((name) =>
      few.run(async (): Promise<LearnedModel> => {
        const given = named?.get(name);
        const unasked = { name, reply: undefined, given, isUnknown: false };
        if (models.isOnDemand(name)) return { ...unasked, isOnDemand: true };
        if (stop.aborted || performance.now() > untilMs) return unasked;
        return learnModel(source, name);
      }),
    ),
  );
  // A server may also list models that it has not loaded.
  return all.filter(({ isUnknown }) => named !== undefined || !isUnknown);
}

/** What a target says of one model; never rejects. */
export async function learnModel(
  { named, models, rules, log }: Pick<ProfileSource, "named" | "models" | "rules" | "log">,
  name: string,
): Promise<LearnedModel> {
  const given = named?.get(name);
  try {
    const reply = await models.describe(name);
    if (reply.status === 200) await rules.learn(name);
    return { name, reply, given, isUnknown: reply.status === 404 };
  } catch (error) {
    const isUnknown = error instanceof SpillwayError && error.code === "model_not_found";
    if (given === undefined || isUnknown)
      log.warn({ model: name, why: (error as Error).message }, "not measured: no target describes it");
    return { name, reply: undefined, given, isUnknown };
  }
}

/**
 * The models that can be measured, each with an input for it. A model that is left out is logged.
 *
 * @param endsAtMs when all measuring ends, by the monotonic clock
 */
export async function examplesOf(
  source: ExampleSource,
  learned: readonly LearnedModel[],
  endsAtMs: number,
): Promise<ExampleModel[]> {
  const nowMs = performance.now();
  const trialsEndMs = nowMs + partForTrials * (endsAtMs - nowMs);
  const found: ExampleModel[] = [];
  for (const model of learned) {
    if (model.reply === undefined && model.given === undefined) continue;
    try {
      found.push(await exampleOfLearned(source, model, trialsEndMs));
    } catch (error) {
      source.log.warn(
        { model: model.name, why: (error as Error).message },
        "not measured: no input for it is known",
      );
    }
  }
  return found;
}

async function exampleOfLearned(
  { options, models, rules, transports, log }: ExampleSource,
  { name, reply, given }: LearnedModel,
  trialsEndMs: number,
): Promise<ExampleModel> {
  const rule = rules.of(name);
  if (given?.kind === "request")
    return withinRule(exampleOfRequest(name, replicasIn(name, reply), given.request), rule);
  if (given?.kind === "inputs")
    return exampleFor({ name, replicas: replicasIn(name, reply), inputs: given.inputs }, rule);
  if (reply === undefined || reply.status !== 200)
    throw new Error(new TextDecoder().decode(reply?.body.subarray(0, 200)));
  const { body } = reply;
  const leftMs = Math.max(leastExampleMs, trialsEndMs - performance.now());
  const named =
    options.payload === "tensors"
      ? await models.exampleOf(name, Math.min(longestExampleMs, leftMs))
      : undefined;
  if (named !== undefined) return withinRule(exampleOfRequest(name, replicasIn(name, reply), named), rule);
  if (!hasOpenSizes(name, body)) {
    const model = describedModel(name, body);
    if (options.payload === "tensors") return exampleFor(model, rule);
    const chosen = { payload: options.payload, images: options.images, seed: payloadSeed };
    try {
      return withinRule(await payloadExample(chosen, model), rule);
    } catch (error) {
      log.info(
        { model: name, why: (error as Error).message },
        `measured with zeros, not with ${options.payload}`,
      );
      return exampleFor(model, rule);
    }
  }
  for (const size of triedSizes) {
    const example = exampleFor(describedModel(name, body, size), rule);
    if (!(await isAccepted(transports, example, trialsEndMs))) continue;
    log.info({ model: name, size }, "its open dimensions are measured at a size that it takes");
    return example;
  }
  throw new Error(
    `it leaves dimensions open, the server names no example, and sizes of 1 to 8 were not answered;` +
      ` --models "${name}=INPUT:DATATYPE[1,SIZE,...]" gives them`,
  );
}

/** Whether describing the model lacks nothing but sizes. */
function hasOpenSizes(name: string, body: Uint8Array): boolean {
  try {
    describedModel(name, body);
    return false;
  } catch {
    try {
      describedModel(name, body, 1);
      return true;
    } catch {
      return false;
    }
  }
}

/** Whether the first target that can be reached answers the example. */
async function isAccepted(
  transports: readonly Transport[],
  example: ExampleModel,
  untilMs: number,
): Promise<boolean> {
  const wire = encodeInferRequest(example.request(1), { binary: true });
  for (const transport of transports) {
    const timeoutMs = Math.min(longestTrialMs, untilMs - performance.now());
    if (timeoutMs <= 0) return false;
    try {
      const { status } = await transport.call(example.name, wire, timeoutMs);
      if (status === 200) return true;
      // Another target may have the model.
      if (status !== 404 && status !== 503) return false;
    } catch (error) {
      if (!(error instanceof SpillwayError) || !error.isOfTarget) return false;
    }
  }
  return false;
}

/** Batches of the model that its server runs at once; one where its metadata does not say or makes no sense. */
export function replicasIn(name: string, reply: HttpReply | undefined): number {
  if (reply?.status !== 200) return 1;
  try {
    return describedModel(name, reply.body, 1).replicas;
  } catch {
    return 1;
  }
}

/** An example of zeros in the sizes that the queue may send. */
function exampleFor(model: DescribedModel, rule: ModelRule): ExampleModel {
  if (rule.isKnown && !rule.joins) return loneExampleOfZeros(model);
  return withinRule(exampleOfZeros(model), rule);
}

function withinRule(example: ExampleModel, { joins, isKnown, mostRows }: ModelRule): ExampleModel {
  if (example.sizes !== undefined) return example;
  if (isKnown && !joins) return { ...example, sizes: [1] };
  if (mostRows === Infinity) return example;
  const below = usualSizes.filter((rows) => rows < mostRows);
  return { ...example, sizes: [...new Set([...below, Math.min(mostRows, usualSizes.at(-1) as number)])] };
}
