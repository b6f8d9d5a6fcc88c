/** `spillway add`: puts a model into a repository and prints what was found and how to call it. */
import { join } from "node:path";
import { checkInstalled } from "../base/optional-package.ts";
import { createLog } from "../base/program/log.ts";
import type { LogOptions } from "../base/program/log-options.ts";
import { addModel } from "../edge/add/add-model.ts";
import type { AddModelOptions } from "../edge/add/add-options.ts";
import { foundLines } from "../edge/add/config-text.ts";

/** Exit status 0 when the model is in place, 2 when it cannot be loaded. */
export async function runAdd(options: AddModelOptions & LogOptions): Promise<number> {
  checkInstalled("adding a model", ["onnxruntime-node"]);
  // What a trial logs is of use only when somebody asks for it.
  const log = await createLog(
    "add",
    options.logLevel === "info" ? { ...options, logLevel: "silent" } : options,
  );
  const added = await addModel(options, log, (text) => process.stderr.write(`${text}\n`));
  const { name, version, folder, config, tried, handlers, on } = added;
  const lines = [
    `${name} version ${version} is in ${folder}`,
    ...foundLines(tried).map((line) => `  ${line}`),
    ...handlers.map((each) => {
      if (each.fault !== undefined) return `  handler: ${each.handler} does not fit: ${each.fault}`;
      const more =
        each === on
          ? ""
          : `; no file names its classes, so that only --handler ${each.handler} switches it on`;
      return `  handler: ${each.handler} fits: ${each.why}${more}`;
    }),
    ...(config === undefined ? ["  settings: those that were there are kept"] : [`  settings: ${config}`]),
    "",
    ...callLines(options, added),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

function callLines(
  { models, url }: AddModelOptions,
  { name, tried, on }: Pick<Awaited<ReturnType<typeof addModel>>, "name" | "tried" | "on">,
): string[] {
  const base = `${url.replace(/\/$/, "")}/v2/models/${encodeURIComponent(name)}`;
  const serve = [
    `serve it:  spillway edge --models ${models}`,
    `or, where a server of that folder runs:  curl -X POST ${url.replace(/\/$/, "")}/v2/repository/models/${name}/load`,
  ];
  if (on !== undefined) return [...serve, `call it:   curl -F file=@picture.jpg ${base}/predict`];
  if (tried.example === undefined)
    return [...serve, `no request was found that it answers: ${tried.whyNoExample ?? "none was tried"}`];
  const call = tried.isJson
    ? `curl -s '${base}/example?form=json' | curl -s ${base}/infer -d @-`
    : `curl -s ${base}/example -D ${join("/tmp", `${name}.head`)} -o ${join("/tmp", `${name}.body`)} && ` +
      `curl -s ${base}/infer -H "$(grep -i '^inference-header' ${join("/tmp", `${name}.head`)} | tr -d '\\r')" ` +
      `--data-binary @${join("/tmp", `${name}.body`)} -o answer`;
  return [...serve, `call it:   ${call}`];
}
