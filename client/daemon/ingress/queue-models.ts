/** The endpoints of the queue that say what models there are, what they take, and what was done for them. */
import type { Context, Hono } from "hono";
import { SpillwayError } from "../../../base/errors.ts";
import { versionedModel } from "../../../protocol/model-path.ts";
import { ModelStatistics, statisticsEntry } from "../../../protocol/server/model-statistics.ts";
import { modelPaths, route } from "../../../protocol/server/route.ts";
import type { HttpReply } from "../../transports/http-transport.ts";
import type { Daemon } from "../daemon.ts";
import { knownConfiguration, metadataIn } from "./known-configuration.ts";

export function addQueueModels(app: Hono, daemon: Daemon): void {
  const { models, names, statistics, rules } = daemon;
  const nameIn = (context: Context): Promise<string> =>
    names.resolve(context.req.param("model") as string, context.req.param("version"));
  const stats = (name: string): object => {
    const { model, version = names.versionOf(name) ?? "" } = versionedModel(name);
    const counted = statistics.of(name) ?? new ModelStatistics({ name, version });
    return { ...statisticsEntry(counted), name: model, version };
  };

  // Before the routes of a model, one of which would take "stats" for a name.
  route(app, "GET", ["/v2/models/stats"], async (context) => {
    const listed = models.known.length > 0 ? models.known : ((await models.list().catch(() => [])) ?? []);
    const counted = listed.flatMap((name) => statistics.namesOf(name));
    return context.json({ model_stats: [...new Set([...listed, ...counted])].map(stats) });
  });
  route(app, "GET", modelPaths("/stats"), async (context) => {
    const name = await nameIn(context);
    const all = new Set([name, ...statistics.namesOf(name)]);
    return context.json({ model_stats: [...all].map(stats) });
  });
  route(app, "GET", modelPaths("/config"), async (context) => {
    const name = await nameIn(context);
    const told = (await models.eachOf(name, "/config")).find((reply) => reply?.status === 200);
    if (told !== undefined) return passedOn(told);
    const reply = await models.describe(name);
    const metadata = reply.status === 200 ? metadataIn(reply.body) : undefined;
    return metadata === undefined
      ? passedOn(reply)
      : context.json(knownConfiguration(metadata, rules.of(name)));
  });
  route(app, "GET", modelPaths("/ready"), async (context) => {
    const name = await nameIn(context);
    // Where a target cannot say, one that can be reached may serve the model.
    const { isReady, reason } = await daemon.health();
    const ready = isReady && ((await models.isReadyAt(name)) ?? true);
    const why = ready ? {} : { reason: reason ?? "no target has it ready" };
    return context.json({ name: versionedModel(name).model, ready, ...why }, ready ? 200 : 503);
  });
  route(app, "GET", modelPaths(""), async (context) =>
    passedOn(await models.describe(await nameIn(context))),
  );
  route(app, "GET", ["/v2/models"], async (context) => context.json({ models: (await models.list()) ?? [] }));
}

const withoutBody = new Set([204, 205, 304]);

/** An answer of a server as it is; a status that HTTP does not allow here counts as its fault. */
export function passedOn({ status, body }: HttpReply): Response {
  if (status < 200 || status > 599 || withoutBody.has(status))
    throw new SpillwayError("target_fault", `the model server answers with status ${status}`);
  const headers = { "content-type": "application/json" };
  return new Response(body as Uint8Array<ArrayBuffer>, { status, headers });
}
