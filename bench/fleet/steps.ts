// How long the longest piece of work of a process's event loop was, in CPU time: on a busy machine the time by the clock
// says more of the others. A timer looks every millisecond, so what is measured is up to a millisecond too long.
const LOOK_EVERY_MS = 1;

export class Steps {
  longestMs = 0;
  #lastMs = cpuMs();
  readonly #timer = setInterval(() => this.#look(), LOOK_EVERY_MS);

  #look(): void {
    const nowMs = cpuMs();
    this.longestMs = Math.max(this.longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** CPU time of this thread. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
