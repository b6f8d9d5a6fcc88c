import { defineConfig } from "vitest/config";

const folders = "{algorithms,base,protocol,client,edge,serverless,replay,tools,cli,docs,test}";
/** Code without effects, whose tests need no build. */
const pureFolders =
  "{algorithms,base,protocol,replay,tools,client/{queue,targets,policies},edge/{replicas,vision},serverless/prices}";

/** Pure code leaves nothing behind that the next file could trip over, and importing it once saves half of its time. */
const pure = { isolate: false, pool: "threads" } as const;

/**
 * `npm test` runs all tests but the soaks and storms, which `--mode long` runs. `--mode fast` is for the loop while
 * writing: pure code, without the tests that are tagged as slow, and with less time for each property.
 */
export default defineConfig(({ mode }) => {
  const kind = mode === "long" ? ".long" : "";
  const shared = {
    tags: [{ name: "slow", description: "takes more than half a second, or needs a build" }],
    exclude: mode === "long" ? [] : ["**/*.long.test.ts"],
    testTimeout: mode === "long" ? 300_000 : 30_000,
    hookTimeout: 60_000,
  };
  const pureTests = `${pureFolders}/**/*${kind}.test.ts`;
  // Most of the time the tests wait for processes, so two files at once are faster on two cores as well.
  const maxWorkers = 2;
  if (mode === "fast") {
    const setupFiles = ["test/support/short-properties.ts"];
    return {
      test: { ...shared, ...pure, include: [pureTests], tagsFilter: ["!slow"], setupFiles, maxWorkers },
    };
  }
  const others = {
    include: [`${folders}/**/*${kind}.test.ts`],
    exclude: [...shared.exclude, pureTests],
  };
  return {
    test: {
      maxWorkers,
      projects: [
        { test: { ...shared, ...pure, name: "pure", include: [pureTests] } },
        { test: { ...shared, ...others, name: "rest" } },
      ],
    },
  };
});
