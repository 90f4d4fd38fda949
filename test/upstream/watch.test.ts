// One timer for all calls: it runs while there are calls, and asks each of them.
import { describe, expect, test } from "vitest";
import { Watch, WATCH_INTERVAL_MS, type Watched } from "../../src/upstream/watch.ts";
import { ManualClock } from "../manual-clock.ts";

function watched(seen: number[]): Watched {
  return { seat: -1, check: (nowMs) => void seen.push(nowMs) };
}

/** A repeating timer on a manual clock. */
function repeatOn(clock: ManualClock): {
  repeat: ConstructorParameters<typeof Watch>[1];
  running: () => number;
} {
  let running = 0;
  return {
    running: () => running,
    repeat: (action, intervalMs) => {
      running++;
      let cancel = (): void => undefined;
      const again = (): void => {
        cancel = clock.after(intervalMs, () => {
          again();
          action();
        });
      };
      again();
      return () => {
        running--;
        cancel();
      };
    },
  };
}

describe("the watch", () => {
  test("asks every running call at each interval, and none that has left", () => {
    const clock = new ManualClock();
    const { repeat } = repeatOn(clock);
    const watch = new Watch(clock, repeat);
    const [first, second]: [number[], number[]] = [[], []];
    const leaving = watched(first);
    watch.add(leaving);
    watch.add(watched(second));
    clock.advance(WATCH_INTERVAL_MS);
    watch.delete(leaving);
    clock.advance(WATCH_INTERVAL_MS);
    expect(first).toEqual([50]);
    expect(second).toEqual([50, 100]);
    expect(watch.nowMs).toBe(100);
  });

  test("stops its timer when nothing runs, and starts it again", () => {
    const clock = new ManualClock();
    const { repeat, running } = repeatOn(clock);
    const watch = new Watch(clock, repeat);
    expect(running()).toBe(0);
    const call = watched([]);
    watch.add(call);
    expect(running()).toBe(1);
    watch.delete(call);
    clock.advance(WATCH_INTERVAL_MS);
    expect(running()).toBe(0);
    clock.advance(1000);
    watch.add(call);
    expect(running()).toBe(1);
    expect(watch.nowMs).toBe(1050);
  });

  test("tells who waits for it that nothing runs any more", async () => {
    const clock = new ManualClock();
    const watch = new Watch(clock, repeatOn(clock).repeat);
    await watch.idle();
    const call = watched([]);
    watch.add(call);
    let isIdle = false;
    const idle = watch.idle().then(() => (isIdle = true));
    clock.advance(WATCH_INTERVAL_MS);
    await Promise.resolve();
    expect(isIdle).toBe(false);
    watch.delete(call);
    clock.advance(WATCH_INTERVAL_MS);
    await idle;
  });

  test("a call may end itself and others while it is asked", () => {
    const clock = new ManualClock();
    const watch = new Watch(clock, () => () => undefined);
    const other = watched([]);
    watch.add({
      seat: -1,
      check() {
        watch.delete(this);
        watch.delete(other);
      },
    });
    watch.add(other);
    watch.check();
    expect(watch.size).toBe(0);
  });
});
