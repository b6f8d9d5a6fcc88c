/** Why a call of a function leaves: which size takes it, and what the others would have cost or taken. */
import type { QueueView, ReleaseReason } from "../../policy.ts";
import type { Reason, RivalSize } from "../../reasons/reason.ts";
import type { FunctionCall } from "./function-call.ts";
import type { FunctionMenu } from "./function-menu.ts";
import type { FunctionModel } from "./function-model.ts";

/** @param overflow requests for which it is made; 0: it keeps an instance */
export function callReason(
  { size, first, rows, isStart = false }: FunctionCall,
  { nowMs, line }: QueueView,
  menu: FunctionMenu,
  cause: ReleaseReason,
  overflow: number,
): Reason {
  const { name, coldStartMs, idleMs: stopsAfterMs } = size.profile;
  if (isStart) return { kind: "start-instance", size: name, coldStartMs, underWay: size.underWay };
  if (overflow === 0)
    return { kind: "keep-warm", size: name, idleForMs: size.idleForMs(nowMs), stopsAfterMs };
  const uploadAtMs = Math.max(nowMs, menu.freeAtMs);
  const rivals: RivalSize[] = [];
  for (const each of menu.usable)
    if (each !== size) rivals.push(rivalOf(each, rows, menu, uploadAtMs, nowMs));
  return {
    kind: "function-call",
    cause: cause === "timeout" ? "longest-wait" : "overflow",
    overflow,
    waiting: line.length,
    rows,
    bestRows: size.bestRows,
    leftMs: line.at(first).deadlineAtMs - nowMs,
    size: rivalOf(size, rows, menu, uploadAtMs, nowMs),
    rivals,
  };
}

function rivalOf(
  size: FunctionModel,
  rows: number,
  menu: FunctionMenu,
  uploadAtMs: number,
  nowMs: number,
): RivalSize {
  const answerMs = uploadAtMs - nowMs + menu.startMs(size, uploadAtMs) + size.latencyMs(rows);
  return { name: size.profile.name, cost: size.costOf(rows), answerMs, maxRows: size.profile.maxBatchRows };
}
