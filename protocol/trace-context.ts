/** W3C Trace Context: of which trace a request is part, as its caller says in two header fields. */

export interface TraceContext {
  readonly traceparent: string;
  /** What tracing systems add for themselves; handed on as it is. */
  readonly tracestate?: string;
}

/** The parts of a `traceparent`. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Bit 0: the caller records the trace. */
  readonly flags: number;
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** The standard has callers keep to so many characters. */
const longestState = 512;

/**
 * The parts of a `traceparent`; undefined when it is none, so that it is left out as the standard says.
 *
 * @example
 * parseTraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")?.flags; // 1
 */
export function parseTraceParent(text: string): TraceParent | undefined {
  const [, version, traceId = "", spanId = "", flags = "", more] = form.exec(text) ?? [];
  if (version === undefined || version === "ff") return undefined;
  // Later versions may say more after what is known.
  if (version === "00" && more !== undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/**
 * The trace of a request; undefined when its caller says none, or nothing that makes sense.
 *
 * @param tracestate of no meaning without a `traceparent`
 */
export function traceContextOf(
  traceparent: string | undefined,
  tracestate?: string,
): TraceContext | undefined {
  const text = traceparent?.trim();
  if (text === undefined || parseTraceParent(text) === undefined) return undefined;
  const isUsable = tracestate !== undefined && tracestate !== "" && tracestate.length <= longestState;
  return { traceparent: text, ...(isUsable && { tracestate }) };
}

/** Its header fields. */
export function traceHeaders(context: TraceContext | undefined): Record<string, string> {
  return context === undefined ? {} : { ...context };
}
