/** `/admin/targets`: which targets there are, and edges that are added and removed while the queue runs. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import { shortened, showValue } from "../../../base/error-text.ts";
import { errorBody, ProtocolError } from "../../../protocol/errors.ts";
import { parseJson, readObject } from "../../../protocol/fields.ts";
import { readBody } from "../../../protocol/server/read-body.ts";
import type { TargetChanges, WantedEdge } from "../targets/target-changes.ts";

const path = "/admin/targets";
const wanted = z.strictObject({ name: z.string().optional(), url: z.string() });

export function addTargetRoutes(app: Hono, targets: TargetChanges): void {
  app.get(path, (context) => context.json({ targets: targets.listed() }));
  app.post(path, async (context) => context.json(targets.add(await wantedIn(context), "request"), 202));
  app.delete(`${path}/:name`, (context) => context.json(targets.remove(context.req.param("name")), 202));
  for (const [each, allowed] of [
    [path, "GET, POST"],
    [`${path}/:name`, "DELETE"],
  ] as const) {
    app.all(each, (context) => {
      const message = `${context.req.method} ${shortened(context.req.path)} is not allowed; allowed: ${allowed}`;
      return context.json(errorBody(message), 405, { allow: allowed });
    });
  }
}

async function wantedIn(context: Context): Promise<WantedEdge> {
  const body = readObject(parseJson(new Uint8Array(await readBody(context)), "the body"), "the body");
  const result = wanted.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === "unrecognized_keys")
    throw new ProtocolError(`the body has ${showValue(issue.keys[0])}; allowed: url, name`);
  const key = String(issue?.path[0] ?? "url");
  throw new ProtocolError(`${key} is ${showValue(body[key])}; allowed: a text`);
}
