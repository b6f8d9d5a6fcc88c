/** Runs one load: bodies at their moments to a server, every end counted once. */
import type { BodyCycle } from "./body-cycle.ts";
import { closedLoop } from "./closed-loop.ts";
import type { Exchange } from "./exchange.ts";
import { LoadFigures } from "./load-figures.ts";
import { type Due, openLoop } from "./open-loop.ts";

/** An open loop follows a schedule; a closed one has callers that wait for their answers. */
export type Load =
  | { readonly kind: "open"; readonly schedule: AsyncIterable<readonly Due[]> | Iterable<readonly Due[]> }
  | {
      readonly kind: "closed";
      readonly concurrency: number;
      readonly requests: number;
      readonly durationMs: number;
    };

export interface GenerateOptions {
  readonly load: Load;
  readonly exchange: Exchange;
  readonly bodies: BodyCycle;
  /** Ends the sending early; what was sent is still waited for. */
  readonly stop: AbortSignal;
  /** Is told after each request that has ended. */
  readonly onEnd: (figures: LoadFigures) => void;
}

/** Where this many are under way, requests that are due are not sent: memory is bounded, and they count as failed. */
const mostUnderWay = 20_000;

export async function generate({
  load,
  exchange,
  bodies,
  stop,
  onEnd,
}: GenerateOptions): Promise<LoadFigures> {
  const figures = new LoadFigures(performance.now());
  const send = async (rows: number, dueAtMs: number): Promise<void> => {
    const atMs = performance.now();
    if (figures.underWay >= mostUnderWay) figures.leaveOut("not sent: too many under way", atMs);
    else {
      figures.sent(dueAtMs, atMs);
      const exchanged = await exchange.send(bodies.next(rows));
      if (exchanged.kind === "answered") figures.answer(dueAtMs, performance.now());
      else figures.fail(exchanged.reason, performance.now());
    }
    onEnd(figures);
  };
  if (load.kind === "open") await openLoop(load.schedule, ({ rows }, dueAtMs) => send(rows, dueAtMs), stop);
  else await closedLoop({ ...load, stop }, (dueAtMs) => send(1, dueAtMs));
  return figures;
}
