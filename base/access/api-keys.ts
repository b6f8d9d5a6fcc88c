/**
 * API keys: who may call, for what, and how fast. A file holds the name and the SHA-256 of each key and never the key
 * itself. Keys have 256 random bits, so that a digest without salt cannot be turned around.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { schemaFaults } from "../program/schema-fault.ts";
import { TokenBucket } from "./token-bucket.ts";

export const scopes = ["infer", "admin", "metrics"] as const;
export type Scope = (typeof scopes)[number];

/** Most keys of a file; each is compared with what a caller sends. */
const mostKeys = 256;
const rate = z.number().positive().max(1e9).optional();

export const keyName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "1 to 64 letters, digits, _, . and -");

const digestForm = "64 hexadecimal digits";

const keyEntry = z
  .strictObject({
    name: keyName,
    sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, digestForm),
    scopes: z.array(z.enum(scopes)).min(1).default(["infer"]),
    requestsPerS: rate,
    rowsPerS: rate,
    /** Default: what comes in a second, at least 1. */
    burst: z.number().min(1).max(1e9).optional(),
  })
  .refine(
    ({ requestsPerS, rowsPerS }) => requestsPerS !== undefined || rowsPerS !== undefined,
    "has no rate; allowed: requestsPerS, rowsPerS, or both",
  );

const keyEntries = z.array(keyEntry).max(mostKeys);

type KeyEntry = z.output<typeof keyEntry>;

/** How the requests of a caller ended at the gate. */
export interface AccessCounts {
  allowed: number;
  /** For want of a scope. */
  denied: number;
  /** By the rate. */
  limited: number;
}

export class ApiKey {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  readonly counts: AccessCounts = { allowed: 0, denied: 0, limited: 0 };
  readonly #digest: Buffer;
  readonly #text: string;
  readonly #requests: TokenBucket | undefined;
  readonly #rows: TokenBucket | undefined;

  constructor(entry: KeyEntry, nowMs: number) {
    const { name, sha256, requestsPerS, rowsPerS, burst } = entry;
    const bucket = (perS: number | undefined): TokenBucket | undefined =>
      perS === undefined ? undefined : new TokenBucket(perS, burst ?? Math.max(1, perS), nowMs);
    this.name = name;
    this.scopes = new Set(entry.scopes);
    this.#digest = Buffer.from(sha256, "hex");
    this.#text = JSON.stringify(entry);
    this.#requests = bucket(requestsPerS);
    this.#rows = bucket(rowsPerS);
  }

  /** @param digest SHA-256 of what a caller sent */
  has(digest: Buffer): boolean {
    return timingSafeEqual(this.#digest, digest);
  }

  /** Takes one request of the rate, with a row; or says how many milliseconds to wait, and takes nothing. */
  admit(nowMs: number): number {
    const waitMs = Math.max(this.#requests?.waitMs(nowMs) ?? 0, this.#rows?.waitMs(nowMs) ?? 0);
    if (waitMs > 0) return waitMs;
    this.#requests?.take(1);
    this.#rows?.take(1);
    return 0;
  }

  /** Takes the other rows of a request that was admitted. */
  countRows(rows: number): void {
    this.#rows?.take(Math.max(0, rows - 1));
  }

  /** Whether two keys were read from the same entry. */
  isSameAs(other: ApiKey): boolean {
    return this.#text === other.#text;
  }
}

/**
 * The keys of a document.
 *
 * @throws Error with the place, the value and what is allowed
 */
export function apiKeysIn(document: unknown, nowMs: number): ApiKey[] {
  const result = keyEntries.safeParse(document ?? []);
  if (!result.success) {
    const [issue] = result.error.issues as [z.core.$ZodIssue];
    const [index, ...field] = issue.path;
    if (index === undefined) throw new Error(`expected a list of at most ${mostKeys} keys`);
    const place = `key ${Number(index) + 1}${field.map((each) => `.${String(each)}`).join("")}`;
    // What stands in the place of a digest may be the key itself, and errors are logged.
    const [fault] = field[0] === "sha256" ? [] : schemaFaults(keyEntries, document, [issue]);
    throw new Error(fault === undefined ? `${place}: allowed: ${digestForm}` : `${place} ${fault.text}`);
  }
  for (const what of ["name", "sha256"] as const) {
    const seen = new Set<string>();
    for (const entry of result.data) {
      const value = entry[what].toLowerCase();
      if (seen.has(value)) throw new Error(`the ${what} ${value} is there twice; allowed: once`);
      seen.add(value);
    }
  }
  return result.data.map((entry) => new ApiKey(entry, nowMs));
}

/** Compares with every key, so that the time tells nothing of which one it was. */
export function keyAmong(keys: readonly ApiKey[], secret: string): ApiKey | undefined {
  const digest = sha256Of(secret);
  let found: ApiKey | undefined;
  for (const key of keys) if (key.has(digest)) found = key;
  return found;
}

/** A new secret of 256 random bits. */
export function newSecret(prefix = ""): string {
  return prefix + randomBytes(32).toString("base64url");
}

export function sha256Of(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
