// Loaded before a server whose memory is measured: at SIGUSR2 it collects garbage and says what the process occupies, in
// bytes. Without that, the figure says more of when the engine collected last than of what an open stream holds.
import { memoryUsage } from "node:process";

process.on("SIGUSR2", () => {
  globalThis.gc?.();
  console.log(`occupies ${memoryUsage().rss}`);
});
