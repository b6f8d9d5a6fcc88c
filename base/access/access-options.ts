/** The options of a server that say who may do what, and the gate that they make. */
import type { Logger } from "pino";
import { z } from "zod";
import { optionalText } from "../program/option-fields.ts";
import { UsageError } from "../usage-error.ts";
import { AccessGate, type AccessOptions } from "./access-gate.ts";
import { ApiKeyFile } from "./api-key-file.ts";
import { type AdminToken, adminTokenIn, defaultStateFolder } from "./state-folder.ts";

const origin = z.string().transform((given, context): string => {
  if (given === "*") return given;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && `${url.origin}/` === url.href;
  if (isOrigin) return url.origin;
  context.addIssue("an origin such as https://app.example or http://localhost:3000, or * for all");
  return z.NEVER;
});

export const stateField = optionalText.describe(
  "folder for the admin token, made at the first start (default: STATE_DIRECTORY of systemd," +
    " else spillway in XDG_STATE_HOME or ~/.local/state)",
);

export const accessFields = {
  adminToken: z
    .string()
    .min(16)
    .optional()
    .describe(
      "bearer token for /admin, to load models, and for /metrics where it is not open; programs on this machine then" +
        " need it too (default: one in the state folder, which others need)",
    ),
  state: stateField,
  apiKeys: optionalText.describe(
    "YAML file of API keys, as spillway api-key makes them; then every caller needs one or the admin token",
  ),
  cors: z
    .array(origin)
    .default([])
    .describe("origins of web pages that may call, such as https://app.example; * allows all (default: none)")
    .meta({ none: "allow no pages" }),
};

export interface AccessFieldValues {
  readonly adminToken?: string | undefined;
  readonly state?: string | undefined;
  readonly apiKeys?: string | undefined;
  readonly cors: readonly string[];
}

const nowMs = (): number => performance.now();

type AccessLog = Pick<Logger, "info" | "warn" | "error">;

/**
 * The gate that the options ask for, and the admin token; makes the admin token when there is none.
 *
 * @throws UsageError when a folder or file that the options name cannot be used
 */
export function openAccess(
  { adminToken, state, apiKeys, cors }: AccessFieldValues,
  log: AccessLog,
  program: Pick<AccessOptions, "open" | "questionsCost"> = {},
): { readonly gate: AccessGate; readonly token: string | undefined } {
  const kept = adminToken === undefined ? keptToken(state, log) : undefined;
  const token =
    adminToken === undefined
      ? kept && { text: kept.token, endsTrust: false, path: kept.path }
      : { text: adminToken, endsTrust: true };
  const file = apiKeys === undefined ? undefined : new ApiKeyFile(apiKeys, nowMs, log);
  const keys = file && (() => file.keys());
  return { gate: new AccessGate({ ...program, token, keys, cors, nowMs, log }), token: token?.text };
}

/** The token of the state folder; undefined, with a warning, when the folder by default cannot be used. */
function keptToken(state: string | undefined, log: AccessLog): AdminToken | undefined {
  try {
    const kept = adminTokenIn(state ?? defaultStateFolder(process.env));
    log.info({ file: kept.path }, "admin token");
    return kept;
  } catch (error) {
    const { message } = error as Error;
    if (state !== undefined) throw new UsageError(`--state: ${message}`);
    log.warn(
      { why: message },
      "no admin token; files cannot be loaded from requests; choose a folder with --state",
    );
    return undefined;
  }
}
