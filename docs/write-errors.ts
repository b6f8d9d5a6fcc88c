/** Writes `docs/reference/errors.md` from the table of errors. Run `node dist/docs/write-errors.js` after a build. */
import { writeFileSync } from "node:fs";
import { errorKinds } from "../base/errors.ts";
import { wrapProse } from "./prose.ts";

const rows = Object.entries(errorKinds).map(([code, { status, retryable, meaning }]) => {
  return `| \`${code}\` | ${status} | ${retryable ? "yes" : "no"} | ${meaning} |`;
});
const page = `# Errors

How a request can end without an answer: the code of the \`SpillwayError\` that \`infer\` rejects with, the status
with which the daemon answers (\`{"error": "…"}\`), and whether the queue tries the request again while its
deadline and its attempts allow. Made from the table in \`base/errors.ts\`.

| code | status | tried again | meaning |
|---|---|---|---|
${rows.join("\n")}
`;
writeFileSync(new URL("../../docs/reference/errors.md", import.meta.url), wrapProse(page));
