/**
 * Every way in which a request can end without an answer, in one table: the code that programs test, the
 * HTTP status that a V2 caller sees, and whether the same request may be tried again. `docs/reference/errors.md` is
 * made from it.
 */

interface ErrorKind {
  /** HTTP status of the answer. */
  readonly status: number;
  /** True when the same request may succeed on another try or another target. */
  readonly retryable: boolean;
  /** True when it tells of a target, whatever it was sent; false: of one request or one model. */
  readonly isOfTarget: boolean;
  readonly meaning: string;
}

/** The same request may succeed on another try or another target. */
const passing = (status: number, meaning: string): ErrorKind => {
  return { status, retryable: true, isOfTarget: false, meaning };
};
/** Likewise, and other requests and models fail there as well. */
const ofTarget = (status: number, meaning: string): ErrorKind => {
  return { status, retryable: true, isOfTarget: true, meaning };
};
const final = (status: number, meaning: string): ErrorKind => {
  return { status, retryable: false, isOfTarget: false, meaning };
};

export const errorKinds = {
  queue_full: passing(
    503,
    "The queue holds as many rows or bytes as it may. Retry-After says when to come back.",
  ),
  queue_starting: passing(
    503,
    "The queue is measuring its targets and takes nothing yet. Retry-After says when to come back.",
  ),
  queue_closed: passing(503, "The queue is shutting down and takes nothing new."),
  overloaded: passing(
    503,
    "More requests came than can be answered in time, and this one was given up. Retry-After says when to come back.",
  ),
  deadline_passed: final(504, "The request was still waiting when its deadline came; it was not sent."),
  cancelled: final(499, "The caller went away before the answer."),
  request_rejected: final(400, "The target refused the input (4xx). Sending it again cannot help."),
  request_too_large: final(
    413,
    "The target takes no body as large as that of this request alone, or the queue or its lane never has so much room.",
  ),
  model_not_found: final(404, "No target knows the model."),
  target_unreachable: ofTarget(502, "No connection to the target, or it was reset."),
  target_timeout: ofTarget(504, "The target did not answer within the call's time."),
  target_throttled: ofTarget(503, "The target takes no more calls now (429, or 503 with a throttling code)."),
  target_unavailable: ofTarget(503, "The target answers but cannot serve now (503, or a replica died)."),
  target_denied: ofTarget(
    502,
    "The target refused our credentials, or does not know the function; another target may serve.",
  ),
  target_broken: ofTarget(
    502,
    "The function does not start, or its process ends during calls (412). Its other sizes may be well.",
  ),
  answer_rejected: final(
    502,
    "The platform refused the function's answer, such as one that is too large (502 BadResponse).",
  ),
  target_fault: passing(502, "The target failed with this request or model, or its answer made no sense."),
  out_of_memory: passing(
    503,
    "The target had too little memory for this request; a larger target, or the same one later, may serve it.",
  ),
  spend_cap_reached: passing(
    503,
    "Functions were not called, because the money allowed for them is spent. Retry-After says until when.",
  ),
  calls_open: passing(
    503,
    "The function was not called, because as many calls as it may have are open; given-up ones are until they end.",
  ),
  retry_budget_spent: passing(
    503,
    "A call of functions failed and was not repeated, because too many were of late; no edge could take it.",
  ),
} satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** Errors of calls that were not made, because this side does not allow them now. */
export const refusals: ReadonlySet<ErrorCode> = new Set(["spend_cap_reached", "calls_open"]);

interface SpillwayErrorOptions extends ErrorOptions {
  readonly retryAfterMs?: number | undefined;
  /** Default: as the table says of the code. */
  readonly isOfTarget?: boolean | undefined;
}

/**
 * The one error class at promise and HTTP borders. Test `code`, never the message.
 *
 * @example
 * queue.infer(call).catch((error) => error.code === "queue_full" && error.retryable); // true: come back later
 */
export class SpillwayError extends Error {
  readonly code: ErrorCode;
  /** It makes no sense to ask again before so many milliseconds have passed, where that is known. */
  readonly retryAfterMs: number | undefined;
  /** True when it tells of a target, whatever it was sent; false: of one request or one model. */
  readonly isOfTarget: boolean;

  constructor(
    code: ErrorCode,
    message: string = errorKinds[code].meaning,
    { retryAfterMs, isOfTarget = errorKinds[code].isOfTarget, ...options }: SpillwayErrorOptions = {},
  ) {
    super(message, options);
    this.name = "SpillwayError";
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.isOfTarget = isOfTarget;
  }

  /** HTTP status with which a server answers this error. */
  get status(): number {
    return errorKinds[this.code].status;
  }

  get retryable(): boolean {
    return errorKinds[this.code].retryable;
  }
}

/**
 * What `make` returns; errors that it makes have no stack. Collecting a stack takes longer than all else that is done to refuse
 * a request, and a refusal comes from a timer, of which a stack tells nothing.
 */
export function withoutStack<Made>(make: () => Made): Made {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/**
 * Of the errors that parts of one batch ended with, the one that counts for its target: one that tells of the
 * target before one that tells of a request, and throttling first, because it says how many calls are too many.
 * Undefined: there is none.
 */
export function worstOf(errors: Iterable<SpillwayError>): SpillwayError | undefined {
  let worst: SpillwayError | undefined;
  for (const error of errors) if (worst === undefined || weight(error) > weight(worst)) worst = error;
  return worst;
}

function weight({ code, retryable, isOfTarget }: SpillwayError): number {
  if (!retryable) return 0;
  if (refusals.has(code)) return 1;
  if (!isOfTarget) return 2;
  return code === "target_throttled" ? 4 : 3;
}
