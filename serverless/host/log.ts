/** What the function host writes its log to. */
import type { Logger } from "pino";

/** The part of a pino logger that it uses. */
export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;
