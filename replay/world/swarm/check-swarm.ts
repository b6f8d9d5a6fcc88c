/**
 * The checker of a swarm. It reads what callers were told and which results owners believe to count, and nothing of how
 * daemons work.
 */
import { graceMs } from "./swarm-front.ts";
import type { CallStory, SwarmRun } from "./run-swarm.ts";
import { answerTo, type FaultSpan, type SwarmWorld } from "./swarm-world.ts";

export interface SwarmViolation {
  readonly kind:
    /** An accepted job has no result although everything was well for long. */
    | "lost"
    /** A waiting caller was never told anything. */
    | "left waiting"
    /** It was told after its deadline, the grace, and what its daemon was stopped for. */
    | "told late"
    | "told twice"
    /** The answer is that to another request. */
    | "wrong answer"
    /** Two owners did a request, and both believe that theirs counted. */
    | "done twice unnoticed"
    /** A request is still in the work queue. */
    | "left over";
  /** What it is about. */
  readonly of: string;
}

/** The violations of a run; none when every call ended as it must. */
export function checkSwarm(world: SwarmWorld, { stories, counted, left }: SwarmRun): SwarmViolation[] {
  const violations = stories.flatMap((story) => ofStory(world, story));
  for (const [id, owners] of counted) {
    if (new Set(owners).size > 1)
      violations.push({ kind: "done twice unnoticed", of: `${id} by ${owners.join(" and ")}` });
  }
  if (left > 0) violations.push({ kind: "left over", of: `${left} requests` });
  return violations;
}

function ofStory(world: SwarmWorld, { call, id, ends }: CallStory): SwarmViolation[] {
  const of = `call ${call.content} at ${call.atMs} ms${id === undefined ? "" : `, ${id}`}`;
  const [first] = ends;
  if (first === undefined) return [{ kind: call.kind === "job" ? "lost" : "left waiting", of }];
  const found: SwarmViolation[] = [];
  if (ends.length > 1) found.push({ kind: "told twice", of });
  const { end, atMs } = first;
  if (end.kind === "answered" && end.answer !== answerTo(call.content))
    found.push({ kind: "wrong answer", of });
  // What a job came to with an error of its queue is for its caller to repeat: the swarm has time enough for all.
  if (call.kind === "job" && id !== undefined && end.kind === "refused") found.push({ kind: "lost", of });
  if (call.kind === "waiting") {
    const { stalls } = world.daemons[call.daemon] as SwarmWorld["daemons"][number];
    const arrivedAtMs = noticedAtMs(stalls, call.atMs);
    const dueAtMs = noticedAtMs(stalls, arrivedAtMs + world.sloMs + graceMs);
    if (atMs > dueAtMs) found.push({ kind: "told late", of });
  }
  return found;
}

function noticedAtMs(stalls: readonly FaultSpan[], atMs: number): number {
  return stalls.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs)?.toMs ?? atMs;
}
