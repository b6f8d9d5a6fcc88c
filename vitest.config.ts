import { defineConfig } from "vitest/config";

const folders = "{algorithms,protocol,client,edge,serverless,replay,demo,cli,test}";

/** `--mode long` runs the soaks and storms, which `npm test` leaves out. */
export default defineConfig(({ mode }) => ({
  test: {
    include: [`${folders}/**/*${mode === "long" ? ".long" : ""}.test.ts`],
    exclude: mode === "long" ? [] : ["**/*.long.test.ts"],
    testTimeout: mode === "long" ? 300_000 : 30_000,
    hookTimeout: 60_000,
  },
}));
