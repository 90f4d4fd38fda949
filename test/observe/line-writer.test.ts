// The writer never blocks and never loses a line silently, whatever the reader does.
import { describe, expect, test } from "vitest";
import { lineWriter } from "../../src/observe/line-writer.ts";
import { ManualClock } from "../manual-clock.ts";
import type { WriteBytes } from "../../src/observe/line-writer.ts";

function slowReader(answers: readonly (number | string)[]) {
  const clock = new ManualClock();
  const taken: string[] = [];
  let calls = 0;
  const pending: (() => void)[] = [];
  const send: WriteBytes = (bytes, done) => {
    const answer = answers[calls] ?? bytes.length;
    calls += 1;
    pending.push(() => {
      if (typeof answer === "string") {
        done(Object.assign(new Error(answer), { code: answer }), 0);
        return;
      }
      taken.push(bytes.subarray(0, answer).toString());
      done(null, Math.min(answer, bytes.length));
    });
  };
  const writer = lineWriter(send, (bytes) => void taken.push(bytes.toString()), clock);
  const answerAll = () => {
    while (pending.length > 0) pending.shift()?.();
  };
  return { clock, writer, taken, answerAll, calls: () => calls };
}

describe("a line writer", () => {
  test("gathers lines of a moment into one write", () => {
    const { clock, writer, taken, answerAll, calls } = slowReader([]);
    writer.write("a");
    writer.write("b");
    expect(calls()).toBe(0);
    clock.advance(20);
    answerAll();
    expect(taken).toEqual(["a\nb\n"]);
  });

  test("has one write under way at a time and keeps the order", () => {
    const { clock, writer, taken, answerAll, calls } = slowReader([]);
    writer.write("a");
    clock.advance(20);
    writer.write("b");
    clock.advance(1000);
    expect(calls()).toBe(1);
    answerAll();
    expect(taken.join("")).toBe("a\nb\n");
  });

  test("goes on where a short write ended", () => {
    const { clock, writer, taken, answerAll } = slowReader([3, 2]);
    writer.write("abcdefgh");
    clock.advance(20);
    answerAll();
    expect(taken).toEqual(["abc", "de", "fgh\n"]);
  });

  test("asks a full pipe again later", () => {
    const { clock, writer, taken, answerAll } = slowReader(["EAGAIN"]);
    writer.write("a");
    clock.advance(20);
    answerAll();
    expect(taken).toEqual([]);
    clock.advance(20);
    answerAll();
    expect(taken).toEqual(["a\n"]);
  });

  test("drops and counts what a reader that never reads leaves over", () => {
    const { clock, writer } = slowReader([]);
    const line = "x".repeat(1024 * 1024);
    for (let at = 0; at < 20; at += 1) {
      writer.write(line);
      clock.advance(20);
    }
    expect(writer.dropped()).toBe(11);
  });

  test("goes on after a failed write, and counts it", () => {
    const { clock, writer, taken, answerAll } = slowReader(["EPIPE"]);
    writer.write("a");
    clock.advance(20);
    answerAll();
    writer.write("b");
    clock.advance(20);
    answerAll();
    expect(taken).toEqual(["b\n"]);
    expect(writer.dropped()).toBe(1);
  });

  test("flushes: the promise waits for what is under way and what is gathered", async () => {
    const { writer, taken, answerAll } = slowReader([]);
    writer.write("a");
    const flushed = writer.flush();
    writer.write("b");
    answerAll();
    await flushed;
    expect(taken.join("")).toBe("a\nb\n");
    await writer.flush();
  });

  test("writes what is left in the process's last moment", () => {
    const { clock, writer, taken } = slowReader([]);
    writer.write("a");
    clock.advance(20);
    writer.write("b");
    writer.flushNow();
    expect(taken).toEqual(["a\nb\n"]);
  });
});
