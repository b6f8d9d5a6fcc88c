/**
 * Several owners of one model: who takes which parts of its requests, and who plans with which edges. Everybody who knows
 * the same offers comes to the same shares, so nobody has to be asked.
 *
 * - An edge has one owner, so that no two plan with all of it. Owners that reach no edge for themselves are left out as long
 *   as others have some: there are never more owners than edges.
 * - Owners have about as much capacity each, as far as they reach it, and parts in proportion to it.
 * - Who comes or goes moves little: each edge and part prefers its owners in an order of its own (rendezvous hashing).
 */

/** A daemon that serves the model. */
export interface OwnerOffer {
  /** Unique among the offers. */
  readonly name: string;
  /** Edges that serve the model and that it reaches now, with their capacity, such as their replicas; above 0. */
  readonly edges: ReadonlyMap<string, number>;
}

/** How a model is split. */
export interface Split {
  /** Most owners, from 1. */
  readonly owners: number;
  /** Parts of its requests, from `owners`; no request is in none. */
  readonly parts: number;
}

/** What one owner has. */
export interface OwnerShare {
  readonly name: string;
  /** From 0, in order. */
  readonly parts: readonly number[];
  /** In order of their names; empty where no owner reaches any. */
  readonly edges: readonly string[];
}

interface Owner {
  readonly offer: OwnerOffer;
  readonly edges: string[];
  capacity: number;
}

/**
 * The shares of a model, by the name of the owner. Those that are not in it own nothing.
 *
 * @example
 * const edges = new Map([["x", 1], ["y", 1]]);
 * const shares = shareOut("ocr", { owners: 2, parts: 8 }, [{ name: "a", edges }, { name: "b", edges }]);
 * shares.get("a")?.edges.length; // 1
 * shares.get("a")?.parts.length; // 4
 */
export function shareOut(
  model: string,
  split: Split,
  offers: readonly OwnerOffer[],
): ReadonlyMap<string, OwnerShare> {
  const named = offers.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const capacities = capacitiesIn(named);
  const inOrder = byScore(named, ({ name }) => scoreOf(model, name));
  const hasEdges = capacities.size > 0;
  const most = hasEdges ? Math.min(split.owners, capacities.size) : split.owners;
  let chosen = hasEdges ? covering(inOrder, capacities, most) : inOrder.slice(0, most);
  for (;;) {
    const owners = edgesShared(model, chosen, capacities);
    const idle = hasEdges ? owners.findLast(({ edges }) => edges.length === 0) : undefined;
    if (idle === undefined) return withParts(model, split.parts, owners);
    chosen = chosen.filter((offer) => offer !== idle.offer);
  }
}

/**
 * The part of a request.
 *
 * @param id of the request
 * @returns an integer from 0 to `parts` - 1
 */
export function partOf(id: string, parts: number): number {
  return parts === 1 ? 0 : hash(id) % parts;
}

/** Of all edges that somebody reaches; where offers differ, the largest. */
function capacitiesIn(offers: readonly OwnerOffer[]): Map<string, number> {
  const capacities = new Map<string, number>();
  for (const { edges } of offers)
    for (const [edge, capacity] of edges) capacities.set(edge, Math.max(capacity, capacities.get(edge) ?? 0));
  return new Map([...capacities].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Those who together reach the most, and as many as may be. */
function covering(
  inOrder: readonly OwnerOffer[],
  capacities: ReadonlyMap<string, number>,
  most: number,
): OwnerOffer[] {
  const left = new Map(capacities);
  const others = inOrder.filter(({ edges }) => edges.size > 0);
  const chosen: OwnerOffer[] = [];
  while (chosen.length < most && others.length > 0) {
    let [best, bestGain] = [0, -1];
    for (const [index, { edges }] of others.entries()) {
      let gain = 0;
      for (const edge of edges.keys()) gain += left.get(edge) ?? 0;
      if (gain > bestGain) [best, bestGain] = [index, gain];
    }
    const [offer] = others.splice(best, 1) as [OwnerOffer];
    for (const edge of offer.edges.keys()) left.delete(edge);
    chosen.push(offer);
  }
  return chosen;
}

function edgesShared(
  model: string,
  chosen: readonly OwnerOffer[],
  capacities: ReadonlyMap<string, number>,
): Owner[] {
  const owners = chosen.map((offer): Owner => ({ offer, edges: [], capacity: 0 }));
  const edges = [...capacities].map(([edge, capacity]) => {
    const reaching = byScore(
      owners.filter(({ offer }) => offer.edges.has(edge)),
      ({ offer }) => scoreOf(model, `${edge}\n${offer.name}`),
    );
    return { edge, capacity, reaching };
  });
  const fairShare = sum(capacities.values()) / Math.max(1, owners.length);
  const give = (owner: Owner, edge: string, capacity: number): void => {
    owner.edges.push(edge);
    owner.capacity += capacity;
  };
  // Edges with the least choice come first; then each goes to its favourite that has room.
  const inOrder = byScore(edges, ({ edge }) => scoreOf(model, edge)).toSorted(
    (a, b) => a.reaching.length - b.reaching.length,
  );
  const rest = inOrder.filter(({ edge, capacity, reaching }) => {
    const favourite = reaching.find((owner) => owner.capacity + capacity <= fairShare);
    if (favourite !== undefined) give(favourite, edge, capacity);
    return favourite === undefined;
  });
  for (const { edge, capacity, reaching } of rest) {
    const [least] = reaching.toSorted((a, b) => a.capacity - b.capacity);
    if (least !== undefined) give(least, edge, capacity);
  }
  for (const owner of owners) if (owner.edges.length === 0) takeOne(owner, owners, capacities);
  return owners;
}

/** An owner without an edge gets one that it reaches of whoever has most. */
function takeOne(to: Owner, owners: readonly Owner[], capacities: ReadonlyMap<string, number>): void {
  const inOrder = owners.filter(({ edges }) => edges.length > 1).toSorted((a, b) => b.capacity - a.capacity);
  for (const from of inOrder) {
    const edge = from.edges.find((each) => to.offer.edges.has(each));
    if (edge === undefined) continue;
    const capacity = capacities.get(edge) as number;
    from.edges.splice(from.edges.indexOf(edge), 1);
    from.capacity -= capacity;
    to.edges.push(edge);
    to.capacity += capacity;
    return;
  }
}

function withParts(model: string, parts: number, owners: readonly Owner[]): ReadonlyMap<string, OwnerShare> {
  const taken = new Map<string, number[]>(owners.map(({ offer }) => [offer.name, []]));
  const most = quotas(parts, owners);
  const pairs = owners.flatMap(({ offer: { name } }) =>
    Array.from({ length: parts }, (_, part) => ({ name, part, score: scoreOf(model, `${part}\n${name}`) })),
  );
  const given = new Set<number>();
  for (const { name, part } of byScore(pairs, ({ score }) => score)) {
    const own = taken.get(name) as number[];
    if (given.has(part) || own.length >= (most.get(name) as number)) continue;
    given.add(part);
    own.push(part);
  }
  return new Map(
    owners.map(({ offer: { name }, edges }) => {
      const own = (taken.get(name) as number[]).toSorted((a, b) => a - b);
      return [name, { name, parts: own, edges: edges.toSorted() }];
    }),
  );
}

/** How many parts each has: in proportion to its capacity, and at least one. */
function quotas(parts: number, owners: readonly Owner[]): Map<string, number> {
  const all = sum(owners.map(({ capacity }) => capacity));
  const exact = owners.map(({ offer, capacity }) => {
    const share = all === 0 ? 1 / owners.length : capacity / all;
    return { name: offer.name, exact: share * parts, whole: Math.max(1, Math.floor(share * parts)) };
  });
  let left = parts - sum(exact.map(({ whole }) => whole));
  const want = (each: (typeof exact)[number]): number => each.exact - each.whole;
  for (; left > 0; left--) {
    const [first] = exact.toSorted((a, b) => want(b) - want(a));
    if (first === undefined) break;
    first.whole++;
  }
  for (; left < 0; left++) {
    const [last] = exact.filter(({ whole }) => whole > 1).toSorted((a, b) => want(a) - want(b));
    if (last === undefined) break;
    last.whole--;
  }
  return new Map(exact.map(({ name, whole }) => [name, whole]));
}

/** The highest first; equal ones stay as they were given. */
function byScore<T>(all: readonly T[], score: (each: T) => number): T[] {
  return all
    .map((each) => ({ each, score: score(each) }))
    .toSorted((a, b) => b.score - a.score)
    .map(({ each }) => each);
}

function scoreOf(model: string, text: string): number {
  return hash(`${model}\n${text}`);
}

/** FNV-1a with a finish that mixes all bits; from 0 to 2^32 - 1. */
function hash(text: string): number {
  let mixed = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) mixed = Math.imul(mixed ^ text.charCodeAt(at), 0x01000193);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function sum(numbers: Iterable<number>): number {
  let all = 0;
  for (const each of numbers) all += each;
  return all;
}
