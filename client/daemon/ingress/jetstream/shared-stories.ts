/** Stories of requests, told to the daemons whose callers were given their ids by the daemon that served them. */
import type { Engine } from "../../../../base/nats/engine.ts";
import type { RecentRequests } from "../../observe/why/recent-requests.ts";

const askMs = 2_000;
/** Room for what stands beside the story in a message. */
const headRoom = 4_096;

/** Tells those that this daemon keeps to whoever asks, until the connection ends. */
export function tellStories(
  { connection, mostBytes, names }: Pick<Engine, "connection" | "mostBytes" | "names">,
  recent: Pick<RecentRequests, "run" | "story">,
): void {
  connection.subscribe(names.stories.subject(recent.run), {
    callback: (error, message) => {
      if (error !== null) return;
      const story = JSON.stringify(recent.story(message.string().slice(0, 100)));
      const isShort = Buffer.byteLength(story) <= mostBytes - headRoom;
      const why = `its story is longer than a message of the NATS server; ask the daemon of run ${recent.run}`;
      message.respond(isShort ? story : JSON.stringify({ why }));
    },
  });
}

/** Undefined: the daemon of that run is not there, or it is no id. */
export async function askStory(
  { connection, names }: Pick<Engine, "connection" | "names">,
  id: string,
): Promise<object | undefined> {
  const [, run] = /^([0-9a-f]{6})-e?\d{1,15}$/.exec(id) ?? [];
  if (run === undefined) return undefined;
  const reply = await connection
    .request(names.stories.subject(run), id, { timeout: askMs })
    .catch(() => undefined);
  const story: unknown = reply?.json();
  return typeof story === "object" && story !== null ? story : undefined;
}
