/**
 * What Function Compute promises to both sides, as values: the settings of a function, the environment and
 * headers its process is given, and the error codes a caller sees. Kept apart so that it is read in one place.
 */
import { randomBytes } from "node:crypto";

/** Who may send requests through an HTTP trigger: anybody, or holders of an access key, by their signature. */
export const triggerAuths = ["anonymous", "function"] as const;
export type TriggerAuth = (typeof triggerAuths)[number];

/** One function as it is hosted. */
export interface FunctionConfig {
  readonly name: string;
  /** Program and arguments that start the function's HTTP server. */
  readonly command: readonly string[];
  /** The function's own variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly vcpu: number;
  readonly memoryMib: number;
  /** Longest call, in milliseconds from when it reaches a ready instance. */
  readonly timeoutMs: number;
  /** Whether POST /initialize is sent once to every new instance. */
  readonly initializer: boolean;
  /** From POST /initialize until its reply; the host's own bound when undefined. */
  readonly initializeTimeoutMs?: number;
  /** Whether GET /pre-stop is sent to every instance that is to go; default: no. */
  readonly preStop?: boolean;
  /** From GET /pre-stop until its reply, within the host's own bound. */
  readonly preStopTimeoutMs?: number;
  /** Most calls that one instance runs at a time, 1 to 200; default 1. */
  readonly instanceConcurrency?: number;
  /** Who may call it through its HTTP trigger; undefined: it has none. */
  readonly triggerAuth?: TriggerAuth | undefined;
  /** The GPU that is metered; a process here has none. */
  readonly gpu?: { readonly card: string; readonly memoryGib: number };
  /** Where its processes run, an absolute path; the host's own folder when undefined. */
  readonly folder?: string;
}

/** Every error code the host answers with, and its HTTP status. */
export const fcErrorStatus = {
  EntityTooLarge: 400,
  InvalidArgument: 400,
  MissingRequiredHeader: 400,
  PathNotSupported: 400,
  AccessDenied: 403,
  InvalidAccessKeyID: 403,
  SignatureNotMatch: 403,
  SignatureNonceUsed: 400,
  FunctionNotFound: 404,
  VersionNotFound: 404,
  AliasNotFound: 404,
  TriggerNotFound: 404,
  MethodNotAllowed: 405,
  FunctionAlreadyExists: 409,
  TriggerAlreadyExists: 409,
  AsyncTaskAlreadyExists: 409,
  CAExited: 412,
  CAFileNotFound: 412,
  FunctionNotStarted: 412,
  ResourceExhausted: 429,
  InternalServerError: 500,
  BadResponse: 502,
  ServiceUnavailable: 503,
} as const;

export type FcErrorCode = keyof typeof fcErrorStatus;

/** The variables of the host that a function's process inherits; all others stay with the host. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "LANG", "TZ"];
const REGION = "local";
const ACCOUNT_ID = "0";

/** A new request id in Function Compute's form: `1-<seconds>-<8 hex>-<12 hex>`. */
export function newRequestId(nowMs: number): string {
  return `1-${Math.floor(nowMs / 1000).toString(16)}-${hex(4)}-${hex(6)}`;
}

/** A new instance id in Function Compute's form: `c-<8 hex>-<8 hex>-<12 hex>`. */
export function newInstanceId(): string {
  return `c-${hex(4)}-${hex(4)}-${hex(6)}`;
}

/** The environment of an instance's process. The platform's variables win over the function's own. */
export function instanceEnvironment(
  config: FunctionConfig,
  instance: { readonly id: string; readonly port: number; readonly initializeTimeoutMs: number },
  host: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = host[name];
    if (value !== undefined) env[name] = value;
  }
  return {
    ...env,
    ...config.env,
    FC_ACCOUNT_ID: ACCOUNT_ID,
    ...(config.folder !== undefined && { FC_FUNC_CODE_PATH: `${config.folder}/` }),
    FC_CUSTOM_LISTEN_PORT: String(instance.port),
    FC_FUNCTION_HANDLER: "index.handler",
    FC_FUNCTION_MEMORY_SIZE: String(config.memoryMib),
    FC_FUNCTION_NAME: config.name,
    FC_INITIALIZATION_TIMEOUT: seconds(instance.initializeTimeoutMs),
    FC_INITIALIZER_HANDLER: config.initializer ? "/initialize" : "",
    FC_INSTANCE_ID: instance.id,
    FC_REGION: REGION,
    FC_RUNTIME: "custom",
    FC_SERVER_PORT: String(instance.port),
    FC_TIMEOUT: seconds(config.timeoutMs),
  };
}

/** The `x-fc-*` headers of a request to an instance. Credentials are empty: the function has no role here. */
export function instanceHeaders(
  config: FunctionConfig,
  controlPath: "/invoke" | "/http-invoke" | "/initialize" | "/pre-stop",
  requestId: string,
): Record<string, string> {
  return {
    "x-fc-access-key-id": "",
    "x-fc-access-key-secret": "",
    "x-fc-account-id": ACCOUNT_ID,
    "x-fc-control-path": controlPath,
    "x-fc-function-handler": "index.handler",
    "x-fc-function-initializer": config.initializer ? "/initialize" : "",
    "x-fc-function-memory": String(config.memoryMib),
    "x-fc-function-name": config.name,
    "x-fc-function-timeout": seconds(config.timeoutMs),
    "x-fc-instance-lifecycle-pre-stop-handler": config.preStop === true ? "/pre-stop" : "",
    "x-fc-qualifier": "LATEST",
    "x-fc-region": REGION,
    "x-fc-request-id": requestId,
    "x-fc-retry-count": "0",
    "x-fc-security-token": "",
    "x-fc-version-id": "LATEST",
  };
}

/** Whether a function's reply says that the call failed. Without `x-fc-status` its status says it: ASSUMED. */
export function functionFailed(reply: {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}): boolean {
  const { status, headers } = reply;
  return (
    status >= 400 || (headers["x-fc-status"] ?? "200") !== "200" || forbiddenHeader(headers) !== undefined
  );
}

/**
 * The response header that spoils a reply: one of the platform's own. ASSUMED: those of the connection, which every HTTP
 * server sends, are replaced without a word.
 */
export function forbiddenHeader(headers: Readonly<Record<string, string>>): string | undefined {
  return Object.keys(headers).find((name) => name.startsWith("x-fc-") && name !== "x-fc-status");
}

/** Whether a response header goes to the caller; the rest belong to the platform or to the connection. */
export function isFunctionHeader(name: string): boolean {
  return !name.startsWith("x-fc-") && !PLATFORM_HEADERS.has(name);
}

/** Of one connection, not of what goes through it. */
export const PLATFORM_HEADERS = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "server",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function seconds(ms: number): string {
  return String(ms / 1000);
}

function hex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
