/** The same connection, with the streams and names of another JetStream domain, such as that of a hub above the site. */
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type Engine, engineTimeoutMs } from "./engine.ts";
import { engineNames } from "./engine-names.ts";

/** Nothing is asked there: the domain may be away. */
export async function engineAt(engine: Engine, domain: string): Promise<Engine> {
  const { connection, can, version, mostBytes } = engine;
  const options = { domain, timeout: engineTimeoutMs };
  return {
    connection,
    js: jetstream(connection, options),
    manager: await jetstreamManager(connection, { ...options, checkAPI: false }),
    version,
    can,
    // Programs of several sites may have one name.
    name: `${engine.names.site ?? "site"}-${engine.name}`,
    names: engineNames(domain),
    mostBytes,
    get isConnected() {
      return engine.isConnected;
    },
    onReconnect: (listener) => engine.onReconnect(listener),
    close: () => Promise.resolve(),
  };
}
