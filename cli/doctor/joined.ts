/** What `doctor` tells of the NATS server that the file names: what waits and is kept there, and for whom nobody is left. */
import { checkInstalled } from "../../base/optional-package.ts";
import { natsAddress } from "../../base/nats/nats-address.ts";
import { withoutUser } from "../config/check-config.ts";
import { fact, fault, type Finding } from "./finding.ts";

/** How long the server may take to let us in, in milliseconds. */
const longestMs = 5_000;

/** Servers of `join` in a section of the file; none where it names none, or what is wrong there is told already. */
export function joinedServers(section: unknown): readonly string[] {
  const { join } = (typeof section === "object" && section !== null ? section : {}) as {
    readonly join?: unknown;
  };
  const named = typeof join === "string" ? join.split(",") : Array.isArray(join) ? join : [];
  return named.filter((each): each is string => typeof each === "string").map((each) => each.trim());
}

/**
 * @param place where the file names them
 * @param section its other options, such as credentials
 */
export async function joinedFindings(
  place: string,
  servers: readonly string[],
  section: object,
  env: NodeJS.ProcessEnv,
): Promise<Finding[]> {
  let shown = "its address";
  try {
    const join = servers.map(natsAddress);
    shown = join.map(({ server }) => server).join(", ");
    checkInstalled(place, ["@nats-io/transport-node", "@nats-io/jetstream", "@nats-io/kv", "@nats-io/obj"]);
    const { surveyJoined } = await import("./survey-joined.ts");
    const stop = AbortSignal.timeout(longestMs);
    const { version, told, faults } = await surveyJoined({ ...section, join }, env, stop);
    return [
      fact(place, `${shown} is nats-server ${version}: ${told.join(", ")}`),
      ...faults.map((text) => fault(place, text)),
    ];
  } catch (error) {
    return [fault(place, `${shown} cannot be joined: ${withoutUser((error as Error).message)}`)];
  }
}
