import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{algorithms,protocol,client,edge,serverless,replay,demo,load,fleet,cli,test}/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
