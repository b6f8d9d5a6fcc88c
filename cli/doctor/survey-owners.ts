/** Who owns what of models with several owners, from what daemons that joined keep on a NATS server. */
import { type KV, Kvm } from "@nats-io/kv";
import type { Engine } from "../../base/nats/engine.ts";
import {
  type OfferEntry,
  offerEntryIn,
  offersFor,
  splitEntryIn,
} from "../../client/daemon/ingress/jetstream/owners/owner-entry.ts";
import { shareOut } from "../../client/targets/share-out.ts";

/** Most models that are told of. */
const mostTold = 20;

/** A line for each model that may have several owners. */
export async function toldOwners({ js, names }: Engine): Promise<string[]> {
  const kvm = new Kvm(js);
  const read = async <T>(bucket: string, entryIn: (bytes: Uint8Array) => T | undefined): Promise<T[]> => {
    const kv = await kvm.open(bucket).catch(() => undefined);
    return kv === undefined ? [] : entriesOf(kv, entryIn).catch(() => []);
  };
  const splits = await read(names.splits.bucket, splitEntryIn);
  const offers: readonly OfferEntry[] =
    splits.length === 0 ? [] : await read(names.owners.bucket, offerEntryIn);
  return splits.slice(0, mostTold).map((split) => {
    const { model, owners, parts } = split;
    const shares = [...shareOut(model, split, offersFor(model, offers)).values()];
    const each = shares.map(({ name, parts: own, edges }) => {
      return `${name} has parts ${own.join(" ")} and ${edges.length === 0 ? "no edge" : edges.join(" ")}`;
    });
    const who = each.length === 0 ? "no daemon serves it now" : each.join("; ");
    return `model ${model} may have ${owners} owners (${parts} parts): ${who}`;
  });
}

async function entriesOf<T>(kv: KV, entryIn: (bytes: Uint8Array) => T | undefined): Promise<T[]> {
  const entries: T[] = [];
  for await (const key of await kv.keys()) {
    const there = await kv.get(key);
    const entry = there?.operation === "PUT" ? entryIn(there.value) : undefined;
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}
