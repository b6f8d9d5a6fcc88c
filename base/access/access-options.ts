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
    )
    .meta({ secret: true }),
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
  /** The address that the program listens on. */
  readonly host: string;
  readonly adminToken?: string | undefined;
  readonly state?: string | undefined;
  readonly apiKeys?: string | undefined;
  readonly cors: readonly string[];
}

const nowMs = (): number => performance.now();

type AccessLog = Pick<Logger, "info" | "warn" | "error">;

export interface Access {
  readonly gate: AccessGate;
  /** The admin token; undefined: there is none. */
  readonly token: string | undefined;
  /** Says in the log where the token is, whose keys there are, and what is open. Call it when the port is taken. */
  readonly announce: () => void;
}

/**
 * The gate that the options ask for; makes the admin token when there is none.
 *
 * @throws UsageError when a folder or file that the options name cannot be used
 */
export function openAccess(
  { host, adminToken, state, apiKeys, cors }: AccessFieldValues,
  log: AccessLog,
  program: Pick<AccessOptions, "open" | "questionsCost"> = {},
): Access {
  const kept = adminToken === undefined ? keptToken(state) : undefined;
  const token =
    kept === undefined || "why" in kept
      ? adminToken === undefined
        ? undefined
        : { text: adminToken, endsTrust: true }
      : { text: kept.token, endsTrust: false, path: kept.path };
  const file = apiKeys === undefined ? undefined : new ApiKeyFile(apiKeys, nowMs, log);
  const keys = file && (() => file.keys());
  return {
    gate: new AccessGate({ ...program, token, keys, cors, nowMs, log }),
    token: token?.text,
    announce: () => {
      if (kept !== undefined && "why" in kept)
        log.warn(
          { why: kept.why },
          "no admin token; requests cannot bring files; choose a folder with --state",
        );
      else if (kept !== undefined) log.info({ file: kept.path }, "admin token");
      if (keys !== undefined) log.info({ apiKeys: keys().map(({ name }) => name) }, "API keys");
      const isOpen = keys === undefined && program.open?.includes("infer") !== false;
      if (isOpen && !/^(localhost|127\..*|::1)$/.test(host))
        log.warn({ host }, "others can reach this port and infer without a key; --api-keys asks for one");
    },
  };
}

/** The token of the state folder; why there is none, when the folder by default cannot be used. */
function keptToken(state: string | undefined): AdminToken | { readonly why: string } {
  try {
    return adminTokenIn(state ?? defaultStateFolder(process.env));
  } catch (error) {
    const { message } = error as Error;
    if (state !== undefined) throw new UsageError(`--state: ${message}`);
    return { why: message };
  }
}
