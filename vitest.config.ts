import { defineConfig } from "vitest/config";

/** Where tests stand beside the code that they test. */
const folders = "{algorithms,base,protocol,client,edge,serverless,replay,tools,cli,docs}";
/** Code without effects, whose tests need no build. */
const pureFolders =
  "{algorithms,base,protocol,replay,tools,client/{queue,targets,policies,daemon/ingress/mqtt/rules},edge/{joining,replicas,vision},serverless/prices}";

/**
 * `npm test` runs all tests but the soaks and storms, which `--mode long` runs. `--mode fast` is for the loop while
 * writing: pure code, without the tests that are tagged as slow, and with less time for each property.
 */
export default defineConfig(({ mode }) => {
  const kind = mode === "long" ? ".long" : "";
  const shared = {
    tags: [{ name: "slow", description: "takes more than half a second, or needs a build" }],
    exclude: mode === "long" ? [] : ["**/*.long.test.ts"],
    testTimeout: mode === "long" ? 300_000 : 120_000,
    hookTimeout: 120_000,
    globalSetup: ["test/support/run-folder.ts"],
    setupFiles: ["test/support/property-seed.ts"],
    // A busy machine may take seconds for what takes milliseconds elsewhere.
    expect: { poll: { timeout: 40_000 } },
  };
  // Most of the time the tests wait for processes, so two files at once are faster on two cores as well.
  const maxWorkers = 3;
  // Most tests leave nothing behind that the next file could trip over, and importing the code once saves much time.
  const isolate = false;
  if (mode === "fast") {
    const include = [`${pureFolders}/**/*.test.ts`];
    const env = { PROPERTY_LIMIT_MS: "100" };
    const fast = { pool: "threads", isolate, include, env, tagsFilter: ["!slow"] } as const;
    return { test: { ...shared, ...fast, maxWorkers } };
  }
  const alone = [`test/**/*${kind}.test.ts`, "serverless/host/**/*.test.ts", "client/daemon/spend.test.ts"];
  const programs = { name: "programs", include: alone };
  const beside = [`${folders}/**/*${kind}.test.ts`];
  const modules = { name: "modules", include: beside, exclude: [...shared.exclude, ...alone], isolate };
  return {
    test: {
      maxWorkers,
      projects: [programs, modules].map((project) => ({ test: { ...shared, ...project } })),
    },
  };
});
