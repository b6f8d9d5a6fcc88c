import { defineConfig } from "vitest/config";

const folders = "{algorithms,base,protocol,client,edge,serverless,replay,tools,cli,docs,test}";
/** Code without effects, whose tests need no build. */
const pureFolders =
  "{algorithms,base,protocol,replay,tools,client/{queue,targets,policies},edge/{replicas,vision},serverless/prices}";

/**
 * `npm test` runs all tests but the soaks and storms, which `--mode long` runs. `--mode fast` is for the loop while
 * writing: pure code, without the tests that are tagged as slow, and with less time for each property.
 */
export default defineConfig(({ mode }) => {
  const shared = { tags: [{ name: "slow", description: "takes more than half a second, or needs a build" }] };
  if (mode === "fast") {
    return {
      test: {
        ...shared,
        include: [`${pureFolders}/**/*.test.ts`],
        exclude: ["**/*.long.test.ts"],
        tagsFilter: ["!slow"],
        setupFiles: ["test/support/short-properties.ts"],
        // Pure code leaves nothing behind that the next file could trip over.
        isolate: false,
        pool: "threads",
        testTimeout: 30_000,
        maxWorkers: 2,
      },
    };
  }
  return {
    test: {
      ...shared,
      include: [`${folders}/**/*${mode === "long" ? ".long" : ""}.test.ts`],
      exclude: mode === "long" ? [] : ["**/*.long.test.ts"],
      testTimeout: mode === "long" ? 300_000 : 30_000,
      hookTimeout: 60_000,
      // Most of the time the tests wait for processes, so two files at once are faster on two cores as well.
      maxWorkers: 2,
    },
  };
});
