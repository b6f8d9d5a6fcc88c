import { defineConfig } from "vitest/config";

const folders = "{algorithms,base,protocol,client,edge,serverless,replay,tools,cli,test}";

/** `--mode long` runs the soaks and storms, which `npm test` leaves out. */
export default defineConfig(({ mode }) => ({
  test: {
    include: [`${folders}/**/*${mode === "long" ? ".long" : ""}.test.ts`],
    exclude: mode === "long" ? [] : ["**/*.long.test.ts"],
    testTimeout: mode === "long" ? 300_000 : 30_000,
    hookTimeout: 60_000,
    // Most of the time the tests wait for processes, so two files at once are faster on two cores as well.
    maxWorkers: 2,
  },
}));
