/**
 * Who is logged in to a dashboard: sessions by a random id that a cookie holds, a bounded number, each for a bounded time.
 * They are in memory alone, so that a restart ends them.
 *
 *     const sessions = new Sessions({ nowMs: () => performance.now(), mayStay: (secret) => gate.scopesOf(secret) !== undefined });
 *     const id = sessions.open(token);
 *     sessions.isOpen(id); // true
 */
import { createHash } from "node:crypto";
import { newSecret } from "../access/api-keys.ts";
import { TokenBucket } from "../access/token-bucket.ts";
import { Lru } from "../memory/lru.ts";

/** Beyond it the one that was used least lately ends. */
const mostSessions = 64;
/** A session ends so long after its last use, and in any case so long after its login. */
const idleMs = 12 * 3_600_000;
const longestMs = 7 * 24 * 3_600_000;

interface Session {
  /** What it was opened with, to ask again whether that still holds. */
  readonly secret: string;
  readonly openedAtMs: number;
  usedAtMs: number;
}

export interface SessionsOptions {
  /** Monotonic time. */
  readonly nowMs: () => number;
  /** Whether whoever knows this secret may look; asked again at each use, because keys may be withdrawn. */
  readonly mayStay: (secret: string) => boolean;
}

export class Sessions {
  readonly #options: SessionsOptions;
  /** By the SHA-256 of their ids, the least recently used first, so that the time of a look-up tells nothing of an id. */
  readonly #sessions = new Map<string, Session>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** @returns the id of a new session; undefined when the secret does not suffice */
  open(secret: string): string | undefined {
    const { nowMs, mayStay } = this.#options;
    if (!mayStay(secret)) return undefined;
    const id = newSecret();
    const atMs = nowMs();
    this.#sessions.set(hashed(id), { secret, openedAtMs: atMs, usedAtMs: atMs });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= mostSessions) break;
      this.#sessions.delete(oldest);
    }
    return id;
  }

  /** Whether there is such a session; that counts as its use. */
  isOpen(id: string | undefined): boolean {
    if (id === undefined) return false;
    const key = hashed(id);
    const session = this.#sessions.get(key);
    if (session === undefined) return false;
    const nowMs = this.#options.nowMs();
    this.#sessions.delete(key);
    const isOver = nowMs - session.usedAtMs > idleMs || nowMs - session.openedAtMs > longestMs;
    if (isOver || !this.#options.mayStay(session.secret)) return false;
    session.usedAtMs = nowMs;
    this.#sessions.set(key, session);
    return true;
  }

  close(id: string): void {
    this.#sessions.delete(hashed(id));
  }
}

/** Wrong tokens that an address may send at once, and how many a second after that; and all addresses together. */
const ofAddress = { burst: 5, perS: 0.2 };
const ofAll = { burst: 50, perS: 2 };
const mostAddresses = 1_024;

/** Slows down whoever guesses tokens: only wrong ones count. */
export class LoginAttempts {
  readonly #nowMs: () => number;
  readonly #byAddress = new Lru<string, TokenBucket>(mostAddresses);
  readonly #all: TokenBucket;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#all = new TokenBucket(ofAll.perS, ofAll.burst, nowMs());
  }

  /** How long that address has to wait before it may try, in milliseconds; 0: it may now. */
  waitMs(address: string): number {
    const nowMs = this.#nowMs();
    return Math.max(this.#all.waitMs(nowMs), this.#byAddress.get(address)?.waitMs(nowMs) ?? 0);
  }

  failed(address: string): void {
    const nowMs = this.#nowMs();
    const bucket = this.#byAddress.get(address) ?? new TokenBucket(ofAddress.perS, ofAddress.burst, nowMs);
    bucket.waitMs(nowMs);
    bucket.take(1);
    this.#all.take(1);
    this.#byAddress.set(address, bucket);
  }
}

function hashed(id: string): string {
  return createHash("sha256").update(id).digest("base64");
}
