/** `/admin/requests`: which requests ended of late, and what happened to each and why, by the id that its answer carried. */
import type { Context, Hono } from "hono";
import { errorBody } from "../../../protocol/errors.ts";
import { requestIdHeader } from "../../../protocol/message.ts";
import { route } from "../../../protocol/server/route.ts";
import type { Daemon } from "../daemon.ts";
import type { RecentRequests } from "../observe/why/recent-requests.ts";

export function addRequestStories(app: Hono, daemon: Pick<Daemon, "recent" | "story">): void {
  const { recent } = daemon;
  route(app, "GET", ["/admin/requests"], (context) => {
    const only = context.req.query("only");
    if (only !== undefined && only !== "lost")
      return context.json(errorBody(`only is ${only.slice(0, 60)}; allowed: lost`), 400);
    return context.json({ run: recent.run, requests: recent.list(only) });
  });
  route(app, "GET", ["/admin/requests/:id"], async (context) => {
    const story = await daemon.story(context.req.param("id") ?? "");
    return "why" in story ? context.json(errorBody(String(story.why)), 404) : context.json(story);
  });
}

/** Gives an answer to inference its id. */
export interface AnswerId {
  /** The request has that number in the queue. */
  readonly onNumber: (request: number) => void;
  /** Another daemon served it under that id. */
  readonly onId: (id: string) => void;
  /** It ended with that error, perhaps before it came to the queue: then it has an id all the same. */
  readonly failed: (error: unknown) => void;
}

export function answerId(context: Context, recent: RecentRequests): AnswerId {
  let isTold = false;
  const tell = (id: string): void => {
    isTold = true;
    context.header(requestIdHeader, id);
  };
  return {
    onNumber: (request) => tell(recent.idOf(request)),
    onId: tell,
    failed: (error) => {
      if (!isTold) tell(recent.turnedAway(error));
    },
  };
}
