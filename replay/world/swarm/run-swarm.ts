/** Runs a swarm under the virtual clock: every daemon is a front and an owner with the real queue and policy. */
import { VirtualClock } from "../virtual-clock.ts";
import { SwarmConnection, type ServerOfSwarm } from "./swarm-connection.ts";
import { MessageServer } from "./message-server.ts";
import { Process } from "./process.ts";
import { EdgeProcess } from "./swarm-edge.ts";
import { type SwarmEnd, SwarmFront } from "./swarm-front.ts";
import { startOwner } from "./swarm-owner.ts";
import { safeRules, type SwarmCall, type SwarmRules, type SwarmWorld } from "./swarm-world.ts";

/** How often a caller asks for the result of its job. */
const pollMs = 2_000;

/** What the caller of one call was told, in order. */
export interface CallStory {
  readonly call: SwarmCall;
  /** Of a job that was accepted. */
  id: string | undefined;
  readonly ends: { readonly end: SwarmEnd; readonly atMs: number }[];
}

export interface SwarmRun {
  /** In the order of the calls. */
  readonly stories: readonly CallStory[];
  /** By id of the request: owners that learned that their result counts. */
  readonly counted: ReadonlyMap<string, readonly string[]>;
  /** Results that were refused, because another owner's was there. */
  readonly repeated: number;
  /** Requests that are still in the work queue at the end. */
  readonly left: number;
}

/**
 * @param rules what the daemons do to be safe. Default: everything
 * @example checkSwarm(runSwarm(drawSwarm(7))); // []
 */
export function runSwarm(world: SwarmWorld, rules: SwarmRules = safeRules): SwarmRun {
  const clock = new VirtualClock();
  const started: (() => void)[] = [];
  const serverProcess: Process = new Process(
    world.server,
    clock,
    () => messages.killed(),
    () => {
      messages.started();
      for (const run of started) run();
    },
  );
  const messages = new MessageServer(clock, serverProcess);
  const server: ServerOfSwarm = { process: serverProcess, messages, onStart: (run) => started.push(run) };
  const edges = world.edges.map((edge) => new EdgeProcess(edge, clock, server));
  const counted = new Map<string, string[]>();
  const onCounted = (id: string, owner: string): void => {
    counted.set(id, [...(counted.get(id) ?? []), owner]);
  };
  const fronts: SwarmFront[] = [];
  /** By daemon: callers whose call it has not noticed yet. */
  const unnoticed = world.daemons.map(() => new Set<() => void>());
  const processes = world.daemons.map((spec, index) => {
    const start = (process: Process): void => {
      const connection = new SwarmConnection(process, clock, server);
      fronts[index] = new SwarmFront(connection, rules, world.sloMs);
      startOwner({ world, rules, connection, edges, onCounted });
    };
    const process: Process = new Process(
      spec,
      clock,
      () => {
        fronts[index]?.reset();
        for (const reset of unnoticed[index] ?? []) reset();
        unnoticed[index]?.clear();
      },
      () => start(process),
    );
    start(process);
    return process;
  });
  const stories = world.calls.map((call): CallStory => ({ call, id: undefined, ends: [] }));
  for (const story of stories) {
    const { call } = story;
    const ended = (end: SwarmEnd): void => {
      story.ends.push({ end, atMs: clock.nowMs() });
    };
    const process = processes[call.daemon] as Process;
    const poll = (asked: number): void => {
      const index = asked % fronts.length;
      if (story.ends.length > 0) return;
      if (processes[index]?.isUp === true)
        fronts[index]?.lookUp(story.id as string, (end) => {
          if (story.ends.length === 0) ended(end);
        });
      clock.schedule(clock.nowMs() + pollMs, () => {
        if (clock.nowMs() < endsAtMs) poll(asked + 1);
      });
    };
    clock.schedule(call.atMs, () => {
      if (!process.isUp) {
        ended({ kind: "refused", code: "target_unreachable" });
        return;
      }
      const reset = ended.bind(undefined, { kind: "refused", code: "reset" });
      unnoticed[call.daemon]?.add(reset);
      process.at(call.atMs, () => {
        unnoticed[call.daemon]?.delete(reset);
        const accepted = (id: string): void => {
          story.id = id;
          poll(call.daemon);
        };
        fronts[call.daemon]?.call(call, { accepted, ended });
      });
    });
  }
  for (const { atMs, owners } of world.splits ?? []) clock.schedule(atMs, () => messages.splitOver(owners));
  const endsAtMs = lastTroubleAtMs(world) + world.quietMs;
  clock.advanceTo(endsAtMs);
  return { stories, counted, repeated: messages.refusedResults, left: messages.queued.size };
}

/** When the last call has come and the last fault is over. */
function lastTroubleAtMs({ calls, daemons, edges, server }: SwarmWorld): number {
  let lastMs = calls.at(-1)?.atMs ?? 0;
  for (const { kills, stalls, cuts } of [server, ...daemons, ...edges])
    for (const { toMs } of [...kills, ...stalls, ...cuts]) lastMs = Math.max(lastMs, toMs);
  return lastMs;
}
