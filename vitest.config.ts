// One run for everything; end-to-end tests start real processes, so files run in forks, two at a time.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    // A machine may be busy; what hangs is found all the same.
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
});
