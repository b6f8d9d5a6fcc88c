/**
 * The connection to a NATS server with JetStream that programs share which joined each other. It is loaded with `--join`
 * only, because the packages of NATS are optional.
 *
 *     const engine = await joinNats({ join: [natsAddress("nats://127.0.0.1:4222")] }, { as: "edge-7", env, log, stop });
 *     await engine.js.publish("spill.req.ocr.front.1", body);
 *     await engine.close();
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { checkServerIdentity } from "node:tls";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  nkeyAuthenticator,
  type NatsConnection,
  type Status,
} from "@nats-io/transport-node";
import type { Logger } from "pino";
import { whyUnreadable } from "../error-text.ts";
import { UsageError } from "../usage-error.ts";
import { type Environment, secretIn } from "../program/secrets.ts";
import type { JoinOptions } from "./join-fields.ts";
import { type EngineNames, engineNames } from "./engine-names.ts";
import { whyNotJoined } from "./why-not-joined.ts";

/** What the server can do that older ones cannot. */
export interface EngineAbilities {
  /** One owner for each model, chosen by the server (2.11). */
  readonly pins: boolean;
  /** Messages that leave at their deadline, and tell of it (2.11). */
  readonly deadlines: boolean;
  /** Counters, such as that of money spent together (2.12). */
  readonly counters: boolean;
}

export interface Engine {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly manager: JetStreamManager;
  /** Of the server, such as "2.15.2". */
  readonly version: string;
  readonly can: EngineAbilities;
  /** Name of this program among those that joined; one token of a subject. */
  readonly name: string;
  /** Of streams and subjects at this program's site. */
  readonly names: EngineNames;
  /** Largest message, in bytes, headers included. */
  readonly mostBytes: number;
  readonly isConnected: boolean;
  /** Calls back each time that the connection is there again, until the function that it returns is called. */
  onReconnect(listener: () => void): () => void;
  /** Sends what is under way, and leaves. */
  close(): Promise<void>;
}

export interface JoinSurroundings {
  /** What the program is, for those who look at the server's connections: "vqueue". */
  readonly as: string;
  readonly env: Environment;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  /** Ends the waiting for a server that is not there. */
  readonly stop?: AbortSignal | undefined;
}

/** Oldest server that is joined, and pauses between attempts, in milliseconds. */
const oldest = [2, 9] as const;
const pauseMs = 1_000;
/** Longest time for a connection, and for an answer of JetStream, in milliseconds. */
export const engineTimeoutMs = 5_000;
/** A server that is silent for about three times as long is left. */
const pingMs = 5_000;
const closeMs = 3_000;

/**
 * Waits for a server that is not there yet, and says so once.
 *
 * @throws UsageError when waiting does not help: wrong credentials, no JetStream, a server that is too old
 */
export async function joinNats(options: JoinOptions, surroundings: JoinSurroundings): Promise<Engine> {
  const { log, stop } = surroundings;
  const name = options.joinName ?? randomBytes(6).toString("hex");
  const wanted = connectionOptions(options, name, surroundings);
  const where = options.join.map(({ server }) => server).join(", ");
  let told: string | undefined;
  for (;;) {
    let connection: NatsConnection | undefined;
    try {
      connection = await connect(wanted);
      const engine = await engineOf(connection, options, name, log);
      const { site } = engine.names;
      log.info({ server: connection.getServer(), version: engine.version, name, site }, "joined over NATS");
      return engine;
    } catch (error) {
      await connection?.close();
      if (error instanceof UsageError) throw error;
      const { why, isPassing } = whyNotJoined(error, wanted.tls !== undefined);
      if (!isPassing) throw new UsageError(`--join ${where}: ${why}`);
      if (told !== why) log.error({ server: where, why }, "no connection to NATS; trying again");
      told = why;
      await delay(pauseMs, undefined, stop && { signal: stop });
    }
  }
}

async function engineOf(
  connection: NatsConnection,
  { joinDomain, joinSite }: JoinOptions,
  name: string,
  log: JoinSurroundings["log"],
): Promise<Engine> {
  const version = connection.info?.version ?? "0.0.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isFrom = (wantedMinor: number): boolean => major > 2 || (major === 2 && minor >= wantedMinor);
  if (major < oldest[0] || !isFrom(oldest[1]))
    throw new UsageError(
      `--join: the server is nats-server ${version}; allowed: 2.9 and later, best 2.12 and later`,
    );
  const domain = joinDomain === undefined ? {} : { domain: joinDomain };
  const manager = await jetstreamManager(connection, {
    ...domain,
    checkAPI: false,
    timeout: engineTimeoutMs,
  });
  let names: EngineNames;
  try {
    // The server may have a domain that nobody named.
    const account = await manager.getAccountInfo();
    names = engineNames(joinSite ?? account.domain);
  } catch (error) {
    const { name: kind, message } = error as Error;
    if (kind === "TimeoutError") throw error;
    throw new UsageError(
      joinDomain === undefined
        ? `--join: the server has no JetStream for us (${message}); start it with --jetstream, or enable it for our account`
        : `--join-domain is "${joinDomain}", and no JetStream of that domain answers (${message})`,
    );
  }
  const listeners = new Set<() => void>();
  let isConnected = true;
  void follow(connection.status(), (status) => {
    if (status.type === "disconnect") {
      isConnected = false;
      log.error({ server: status.server }, "the connection to NATS is gone; connecting anew");
    } else if (status.type === "reconnect") {
      isConnected = true;
      log.info({ server: status.server }, "connected to NATS again");
      for (const listener of listeners) listener();
    } else if (status.type === "error") log.warn({ why: status.error.message }, "NATS refused something");
    else if (status.type === "slowConsumer")
      log.warn({ pending: status.pending }, "messages of NATS come faster than they are taken");
  });
  return {
    connection,
    js: jetstream(connection, { ...domain, timeout: engineTimeoutMs }),
    manager,
    version,
    can: { pins: isFrom(11), deadlines: isFrom(11), counters: isFrom(12) },
    name,
    names,
    mostBytes: connection.info?.max_payload ?? 2 ** 20,
    get isConnected() {
      return isConnected && !connection.isClosed();
    },
    onReconnect: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: async () => {
      const closed = connection.isClosed() || !isConnected ? connection.close() : connection.drain();
      await Promise.race([closed.catch(() => {}), delay(closeMs, undefined, { ref: false })]);
      await connection.close();
    },
  };
}

async function follow(statuses: AsyncIterable<Status>, take: (status: Status) => void): Promise<void> {
  for await (const status of statuses) take(status);
}

function connectionOptions(
  options: JoinOptions,
  name: string,
  { as, env }: JoinSurroundings,
): ConnectionOptions {
  const { join, joinCreds = env["NATS_CREDS"], joinCa, joinCert, joinKey } = options;
  const user = join.find((address) => address.user !== undefined)?.user ?? env["NATS_USER"];
  const password = join.find((address) => address.password !== undefined)?.password ?? env["NATS_PASSWORD"];
  const token = env["NATS_TOKEN"] === undefined ? undefined : secretIn(env, "NATS_TOKEN", "--join");
  if ((joinCert === undefined) !== (joinKey === undefined))
    throw new UsageError("--join-cert and --join-key go together; one of them is missing");
  const isTls = join.some((address) => address.isTls) || joinCa !== undefined || joinCert !== undefined;
  const tls = {
    ...(joinCa !== undefined && { ca: textOf("--join-ca", joinCa) }),
    ...(joinCert !== undefined && { cert: textOf("--join-cert", joinCert) }),
    ...(joinKey !== undefined && { key: textOf("--join-key", joinKey) }),
    checkServerIdentity: identityCheck(join.map(({ server }) => hostIn(server))),
  };
  // A user alone may be a token, as in URLs of NATS.
  const isToken = user !== undefined && password === undefined && token === undefined;
  return {
    servers: join.map(({ server }) => server),
    name: `spillway ${as} ${name}`,
    timeout: engineTimeoutMs,
    pingInterval: pingMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    // Credentials may be wrong for a moment, while they are changed.
    ignoreAuthErrorAbort: true,
    ...(isToken
      ? { token: user }
      : { ...(user !== undefined && { user }), ...(password !== undefined && { pass: password }) }),
    ...(token !== undefined && { token }),
    ...(joinCreds !== undefined && {
      authenticator: authenticatorOf(joinCreds),
    }),
    ...(isTls && { tls }),
  };
}

/**
 * The client leaves out the name of a server that is named by its address, and then Node looks for "localhost" in its
 * certificate. It has to name the address of one of those that are given.
 */
function identityCheck(hosts: readonly string[]): typeof checkServerIdentity {
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  return (name, certificate) => {
    const fault = checkServerIdentity(name, certificate);
    if (fault === undefined || name !== "localhost") return fault;
    return addresses.some((address) => checkServerIdentity(address, certificate) === undefined)
      ? undefined
      : fault;
  };
}

function hostIn(server: string): string {
  return server.slice(0, server.lastIndexOf(":")).replaceAll(/[[\]]/g, "");
}

/** By a file of credentials (JWT and key), or by a key alone. */
function authenticatorOf(path: string): Authenticator {
  const text = textOf("--join-creds", path);
  const seed = /^[\t ]*(SU[A-Z2-7]{56})[\t\r ]*$/m.exec(text.replaceAll(/^[-#].*$/gm, ""))?.[1];
  if (seed === undefined)
    throw new UsageError(
      `--join-creds is ${JSON.stringify(path)}, which has no key of a user; allowed: a file of credentials, or of one key that begins with SU`,
    );
  const made = Buffer.from(text);
  return /BEGIN NATS USER JWT/.test(text) ? credsAuthenticator(made) : nkeyAuthenticator(Buffer.from(seed));
}

function textOf(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${option} is ${JSON.stringify(path)}: ${whyUnreadable(error)}`);
  }
}
