/** What daemons tell each other of models with several owners: how a model is split, and what each of them offers. */
import { z } from "zod";
import type { OwnerOffer, Split } from "../../../../targets/share-out.ts";

/** Most owners of a model, and parts for each of them, so that shares may differ as the capacity of edges does. */
export const mostOwners = 16;
const partsEach = 4;

/** How long an offer counts that is not renewed, and how often it is renewed, in milliseconds. */
export const offerLeaseMs = 1_500;
export const offerRenewMs = offerLeaseMs / 4;
/** How long the server tells those who come later that an offer has ended. */
export const offerMarkerMs = 10_000;

/** Most models with several owners, and edges of each that a daemon offers. */
export const mostSplits = 1_000;
const mostEdges = 256;

const mostParts = mostOwners * partsEach;
const splitEntry = z.object({
  model: z.string().min(1).max(1_024),
  owners: z.int().min(1).max(mostOwners),
  parts: z.int().min(1).max(mostParts),
});

export type SplitEntry = z.output<typeof splitEntry>;

const offerEntry = z.object({
  name: z.string().min(1).max(64),
  /** By model, then by edge: its capacity. */
  models: z.record(z.string(), z.record(z.string(), z.number().positive())),
});

export type OfferEntry = z.output<typeof offerEntry>;

/** Undefined for what no daemon of ours has written. */
export function splitEntryIn(bytes: Uint8Array): SplitEntry | undefined {
  return read(splitEntry, bytes);
}

/** The same for an offer. */
export function offerEntryIn(bytes: Uint8Array): OfferEntry | undefined {
  return read(offerEntry, bytes);
}

/**
 * The split for so many owners. Parts never become fewer, because requests may wait in each of them.
 *
 * @example splitFor("ocr", 2); // { model: "ocr", owners: 2, parts: 8 }
 */
export function splitFor(model: string, owners: number, before?: Split): SplitEntry {
  return { model, owners, parts: Math.max(before?.parts ?? 1, owners > 1 ? owners * partsEach : 1) };
}

/** @returns as many of the edges as an entry takes */
export function offeredEdges(edges: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...edges].slice(0, mostEdges));
}

/** What the daemons offer for a model. */
export function offersFor(model: string, entries: Iterable<OfferEntry>): OwnerOffer[] {
  const offers: OwnerOffer[] = [];
  for (const { name, models } of entries)
    if (Object.hasOwn(models, model))
      offers.push({ name, edges: new Map(Object.entries(models[model] ?? {})) });
  return offers;
}

function read<T>(schema: z.ZodType<T>, bytes: Uint8Array): T | undefined {
  try {
    const result = schema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}
