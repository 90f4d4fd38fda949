// The process's own figures, under the names that dashboards for Node know. Read when somebody scrapes; the only thing
// that runs meanwhile is libuv's own sampling of the event loop, in C. (Watching each garbage collection, as libraries
// do, cost 3 % of CPU under load.)
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Family } from "./exposition.ts";

/** How often the event loop's delay is sampled, in milliseconds. */
const SAMPLE_MS = 20;
const NANOS = 1e9;
const MICROS = 1e6;

/** Starts sampling; the function it returns reads. `wallMs`: milliseconds since the epoch. */
export function processMetrics(wallMs: () => number): () => Family[] {
  const delay = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  delay.enable();
  let utilization = performance.eventLoopUtilization();
  return () => {
    const since = utilization;
    utilization = performance.eventLoopUtilization();
    const families = [
      ...loopFamilies(delay),
      gauge(
        "nodejs_eventloop_utilization",
        "Part of the time since the last scrape in which the event loop was busy.",
        performance.eventLoopUtilization(utilization, since).utilization,
      ),
      ...memoryFamilies(),
      ...cpuFamilies(),
      gauge("process_start_time_seconds", "When the process began.", wallMs() / 1000 - process.uptime()),
    ];
    delay.reset();
    return families;
  };
}

function loopFamilies(delay: ReturnType<typeof monitorEventLoopDelay>): Family[] {
  // A sample waits for its turn as long as the sampling takes, and that much is no delay.
  const seconds = (nanos: number): number =>
    Number.isFinite(nanos) ? Math.max(0, nanos / NANOS - SAMPLE_MS / 1000) : 0;
  const about = "of the event loop's delay since the last scrape.";
  return [
    gauge("nodejs_eventloop_lag_p50_seconds", `Median ${about}`, seconds(delay.percentile(50))),
    gauge("nodejs_eventloop_lag_p99_seconds", `99th percentile ${about}`, seconds(delay.percentile(99))),
    gauge("nodejs_eventloop_lag_max_seconds", `Maximum ${about}`, seconds(delay.max)),
  ];
}

function memoryFamilies(): Family[] {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  return [
    gauge("process_resident_memory_bytes", "Memory of the process.", rss),
    gauge("nodejs_heap_size_used_bytes", "JavaScript heap in use.", heapUsed),
    gauge("nodejs_heap_size_total_bytes", "JavaScript heap, used or not.", heapTotal),
    gauge("nodejs_external_memory_bytes", "Memory of objects outside the heap.", external),
    gauge(
      "nodejs_array_buffer_memory_bytes",
      "Memory of buffers, part of the external memory.",
      arrayBuffers,
    ),
  ];
}

function cpuFamilies(): Family[] {
  const { user, system } = process.cpuUsage();
  return [
    counter("process_cpu_user_seconds_total", "CPU time in user mode.", user / MICROS),
    counter("process_cpu_system_seconds_total", "CPU time in the kernel.", system / MICROS),
    counter("process_cpu_seconds_total", "CPU time.", (user + system) / MICROS),
  ];
}

function gauge(name: string, help: string, value: number): Family {
  return { name, help, kind: "gauge", points: [{ suffix: "", labels: {}, value }] };
}

function counter(name: string, help: string, value: number): Family {
  return { ...gauge(name, help, value), kind: "counter" };
}
