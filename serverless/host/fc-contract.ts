/** Function Compute's contract with a function: settings, environment, and headers of requests and replies. */
import { randomBytes } from "node:crypto";
import type { TriggerAuth } from "../prices/fc-limits.ts";

/** A function that the host runs. */
export interface FunctionConfig {
  readonly name: string;
  /** Program and arguments that start the function's HTTP server. */
  readonly command: readonly string[];
  /** The function's own environment variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly vcpu: number;
  readonly memoryMib: number;
  /** Longest call, in milliseconds from when it reaches a ready instance. */
  readonly timeoutMs: number;
  /** Whether POST /initialize is sent once to every new instance. */
  readonly initializer: boolean;
  /** From POST /initialize until its reply; default: the host's limit. */
  readonly initializeTimeoutMs?: number;
  /** Whether GET /pre-stop is sent to an instance before it is stopped; default: no. */
  readonly preStop?: boolean;
  /** From GET /pre-stop until its reply; at most the host's limit. */
  readonly preStopTimeoutMs?: number;
  /** Most calls that one instance runs at a time, 1 to 200; default 1. */
  readonly instanceConcurrency?: number;
  /** Who may call it through its HTTP trigger; undefined: it has no trigger. */
  readonly triggerAuth?: TriggerAuth | undefined;
  /** Working directory of its processes, an absolute path; default: the host's own. */
  readonly folder?: string;
}

/** The variables of the host that a function's process inherits. */
const inheritedVariables = ["PATH", "HOME", "TMPDIR", "LANG", "TZ"];
const region = "local";
const accountId = "0";

/** A new request id in Function Compute's form: `1-<seconds>-<8 hex>-<12 hex>`. */
export function newRequestId(nowUnixMs: number): string {
  return `1-${Math.floor(nowUnixMs / 1000).toString(16)}-${hex(4)}-${hex(6)}`;
}

/** A new instance id in Function Compute's form: `c-<8 hex>-<8 hex>-<12 hex>`. */
export function newInstanceId(): string {
  return `c-${hex(4)}-${hex(4)}-${hex(6)}`;
}

/** The environment of an instance's process. The platform's variables override the function's own. */
export function instanceEnvironment(
  config: FunctionConfig,
  instance: { readonly id: string; readonly port: number; readonly initializeTimeoutMs: number },
  host: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of inheritedVariables) {
    const value = host[name];
    if (value !== undefined) env[name] = value;
  }
  return {
    ...env,
    ...config.env,
    FC_ACCOUNT_ID: accountId,
    ...(config.folder !== undefined && { FC_FUNC_CODE_PATH: `${config.folder}/` }),
    FC_CUSTOM_LISTEN_PORT: String(instance.port),
    FC_FUNCTION_HANDLER: "index.handler",
    FC_FUNCTION_MEMORY_SIZE: String(config.memoryMib),
    FC_FUNCTION_NAME: config.name,
    FC_INITIALIZATION_TIMEOUT: seconds(instance.initializeTimeoutMs),
    FC_INITIALIZER_HANDLER: config.initializer ? "/initialize" : "",
    FC_INSTANCE_ID: instance.id,
    FC_REGION: region,
    FC_RUNTIME: "custom",
    FC_SERVER_PORT: String(instance.port),
    FC_TIMEOUT: seconds(config.timeoutMs),
  };
}

/** The `x-fc-*` headers of a request to an instance. Credentials are empty because the function has no role here. */
export function instanceHeaders(
  config: FunctionConfig,
  controlPath: "/invoke" | "/http-invoke" | "/initialize" | "/pre-stop",
  requestId: string,
): Record<string, string> {
  return {
    "x-fc-access-key-id": "",
    "x-fc-access-key-secret": "",
    "x-fc-account-id": accountId,
    "x-fc-control-path": controlPath,
    "x-fc-function-handler": "index.handler",
    "x-fc-function-initializer": config.initializer ? "/initialize" : "",
    "x-fc-function-memory": String(config.memoryMib),
    "x-fc-function-name": config.name,
    "x-fc-function-timeout": seconds(config.timeoutMs),
    "x-fc-instance-lifecycle-pre-stop-handler": config.preStop === true ? "/pre-stop" : "",
    "x-fc-qualifier": "LATEST",
    "x-fc-region": region,
    "x-fc-request-id": requestId,
    "x-fc-retry-count": "0",
    "x-fc-security-token": "",
    "x-fc-version-id": "LATEST",
  };
}

type Headers = Readonly<Record<string, string>>;

/** Whether a function's reply means that the call failed. ASSUMED: without `x-fc-status` the HTTP status decides. */
export function functionFailed({ status, headers }: { status: number; headers: Headers }): boolean {
  const isMarked = (headers["x-fc-status"] ?? "200") !== "200";
  return status >= 400 || isMarked || forbiddenHeader(headers) !== undefined;
}

/** A response header of the platform's, which a function must not set. ASSUMED: those of the connection are ignored. */
export function forbiddenHeader(headers: Headers): string | undefined {
  return Object.keys(headers).find((name) => name.startsWith("x-fc-") && name !== "x-fc-status");
}

/** Whether a header passes through the host; the others belong to the platform or to one connection. */
export function isFunctionHeader(name: string): boolean {
  return !name.startsWith("x-fc-") && !connectionHeaders.has(name);
}

const connectionHeaders = new Set(
  "connection content-length date keep-alive server trailer transfer-encoding upgrade".split(" "),
);

function seconds(ms: number): string {
  return String(ms / 1000);
}

function hex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
