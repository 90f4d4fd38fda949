// What may happen to the disk of a member of a fleet of real processes: full, not writable, shared by two, copied, put
// back to an earlier state, lost. The provider refuses nothing in any of it, and whoever can't go on says why.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { ask, askMany, sharesOf, untilSeen, untilTogether } from "./fleet-desk.ts";
import { FleetProcesses, Running, SET_OUT, type Station } from "./fleet-processes.ts";

let fleet: FleetProcesses;
const others: Running[] = [];

afterEach(async () => {
  for (const other of others.splice(0)) await other.kill();
  await fleet.stop();
});

async function start(replicas: number): Promise<readonly Station[]> {
  fleet = new FleetProcesses({
    replicas,
    requestsPerMin: 600,
    burst: 60,
    maxWaitMs: 300,
  });
  await fleet.start();
  await untilTogether(fleet);
  return fleet.stations;
}

/** One of them; the tests name them by their number. */
function at(stations: readonly Station[], index: number): Station {
  const station = stations[index];
  if (station === undefined) throw new Error(`no station ${index}`);
  return station;
}

const dataOf = (station: Station): string => join(station.directory, "data");
const configOf = (station: Station): string => join(station.directory, "sluice.yaml");

async function expectNothingRefused(): Promise<void> {
  expect((await fleet.stats()).refused).toBe(0);
}

/** All that can be had, from all of them at once. */
async function drain(stations: readonly Station[]): Promise<void> {
  await Promise.all(stations.map((station) => askMany(station, 40)));
}

describe("a data folder", () => {
  test("that another process uses keeps a second one from starting, and the first goes on", async () => {
    const [station] = await start(1);
    if (station === undefined) throw new Error("one station");
    const second = new Running(["start", "--config", configOf(station), "--listen", "127.0.0.1:0"]);
    expect(await second.ended).toBe(1);
    expect(second.output).toContain("in use by another running process");
    expect(await ask(station)).toBe(200);
  }, 180_000);

  test("that can't be made is an error that names it", async () => {
    const [station] = await start(1);
    if (station === undefined) throw new Error("one station");
    const elsewhere = join(configOf(station), "data");
    const second = new Running([
      "start",
      "--config",
      configOf(station),
      "--data-dir",
      elsewhere,
      "--listen",
      "127.0.0.1:0",
    ]);
    expect(await second.ended).toBe(1);
    expect(second.output).toContain(elsewhere);
    expect(second.output).toMatch(/data_dir|store/);
  }, 180_000);

  test("that is copied and started elsewhere stops the older process with a clear error, and units are spent once", async () => {
    const stations = await start(3);
    const original = at(stations, 0);
    await drain(stations);
    const copy = await fleet.join("gw-copy", (placed) => {
      cpSync(dataOf(original), dataOf(placed), {
        recursive: true,
        filter: (file) => !file.includes("owner-"),
      });
    });
    await original.process.line(/another process runs with a copy of this data directory/);
    expect(await original.process.ended).toBe(1);
    expect(await ask(original)).not.toBe(200);
    await untilSeen(copy, ({ state }) => state === "serving");
    await drain(fleet.stations);
    await expectNothingRefused();
  }, 180_000);

  test.each([
    ["removed", (data: string) => rmSync(data, { recursive: true })],
    ["replaced", (data: string) => replaceFile(join(data, "data.mdb"))],
  ])(
    "that is %s while it is in use is reported, refused by name, and spends nothing that a start could forget",
    async (_, harm) => {
      const [station] = await start(1);
      if (station === undefined) throw new Error("one station");
      expect(await ask(station)).toBe(200);
      harm(dataOf(station));
      await station.process.line(/the store can't be kept as it is.*while it was in use/);
      const ready = await fetch(`http://127.0.0.1:${station.port}/readyz`);
      expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("store_unwritable")]);
      const statuses = new Set<number>();
      while (!statuses.has(503)) statuses.add(await ask(station));
      expect([...statuses].every((status) => [200, 429, 503].includes(status))).toBe(true);
      await expectNothingRefused();
    },
    180_000,
  );

  test("that was put back to an earlier state gives no spent unit back", async () => {
    const stations = await start(3);
    const victim = at(stations, 0);
    // It holds all of it when its disk is copied, and has spent all of it when the copy is put back.
    expect(await ask(victim)).toBe(200);
    await untilSeen(victim, (seen) => sharesOf(seen, [victim.name]) > 0);
    await victim.process.kill();
    const backup = join(victim.directory, "backup");
    cpSync(dataOf(victim), backup, { recursive: true });
    await fleet.boot(victim);
    await untilSeen(victim, ({ state }) => state === "serving");
    await drain(stations);
    await victim.process.kill();
    rmSync(dataOf(victim), { recursive: true });
    cpSync(backup, dataOf(victim), { recursive: true });
    await fleet.boot(victim);
    await untilSeen(victim, ({ state }) => state === "serving");
    await drain(stations);
    await drain(stations);
    await expectNothingRefused();
  }, 180_000);

  test("that is lost makes a new member, which begins with nothing", async () => {
    const stations = await start(3);
    const victim = at(stations, 0);
    await drain(stations);
    await victim.process.kill();
    rmSync(dataOf(victim), { recursive: true });
    await fleet.boot(victim);
    await untilSeen(victim, ({ state, members }) => state === "serving" && members.length === 4);
    await drain(stations);
    await expectNothingRefused();
  }, 180_000);

  // `prlimit` changes a limit of a process that runs; where it is missing, a disk can't be made full without a mount.
  test.skipIf(spawnSync("prlimit", ["--version"]).status !== 0)(
    "without room for more is reported and refused by name, siblings go on, and all is well once there is room",
    async () => {
      const stations = await start(2);
      const [full, sibling] = [at(stations, 0), at(stations, 1)];
      expect([await ask(full), await ask(sibling)]).toEqual([200, 200]);
      // What a full disk does to it: no byte can be written to any file.
      limitFiles(full, "0");
      const statuses = new Set<number>();
      while (!statuses.has(503)) statuses.add(await ask(full));
      expect([...statuses].every((status) => [200, 429, 503].includes(status))).toBe(true);
      await full.process.line(/buckets could not be written.*File too large.*Free disk space/);
      expect((await fetch(`http://127.0.0.1:${full.port}/healthz`)).status).toBe(200);
      // The sibling has what it holds, and gets no more from one that can't write down that it gave.
      expect([200, 429]).toContain(await ask(sibling));
      // LMDB is not asked again and again: it may abort the process over it.
      expect([...full.process.output.matchAll(/Write error/g)].length).toBeLessThan(4);
      limitFiles(full, "unlimited");
      await full.process.line(/buckets can be written again/);
      expect([await ask(full), await ask(sibling)]).toEqual([200, 200]);
      await expectNothingRefused();
    },
    180_000,
  );

  describe.skipIf(!isRefusedWhatIsNotWritable())(
    "that this user may not write (skipped where the tests run as root and `setpriv` can't take its privilege away)",
    () => {
      // So that it can be cleared away.
      afterEach(() => {
        for (const station of fleet.stations) chmodSync(dataOf(station), 0o700);
      });

      test.each([
        ["the folder", (data: string) => chmodSync(data, 0o500), ""],
        ["the file in it", (data: string) => chmodSync(join(data, "data.mdb"), 0o400), ""],
        ["the folder that it is to be made in", (data: string) => chmodSync(data, 0o500), "made"],
      ])(
        "keeps a gateway from starting, with an error that names it and says what to do: %s",
        async (_, forbid, below) => {
          const station = at(await start(1), 0);
          await station.kill();
          forbid(dataOf(station));
          const data = join(dataOf(station), below);
          const gateway = startUnprivileged(station, data);
          expect(await gateway.ended).toBe(1);
          expect(gateway.output).toContain(`The store can't be opened in ${data}: EACCES`);
          expect(gateway.output).toContain("Make data_dir writable for this user.");
        },
        180_000,
      );

      test("is reported while it is in use, keeps nobody from being served, and nothing spent meanwhile is forgotten", async () => {
        const station = at(await start(1), 0);
        await station.kill();
        const data = dataOf(station);
        const gateway = startUnprivileged(station, data);
        await gateway.line(/listens on/);
        const statusOf = async (path: string): Promise<readonly [number, string]> => {
          const answer = await fetch(`http://127.0.0.1:${station.port}/${path}`);
          return [answer.status, await answer.text()];
        };
        expect(await ask(station)).toBe(200);
        chmodSync(join(data, "data.mdb"), 0o400);
        chmodSync(data, 0o500);
        expect(await statusOf("readyz")).toEqual([503, expect.stringContaining("store_unwritable")]);
        expect((await statusOf("healthz"))[0]).toBe(200);
        // What is open stays writable, so its buckets go on, and to the disk.
        const statuses = Object.keys(await askMany(station, 80));
        expect(statuses).toContain("200");
        expect(statuses.every((status) => ["200", "429"].includes(status))).toBe(true);
        await gateway.kill();
        expect(await startUnprivileged(station, data).ended).toBe(1);
        chmodSync(data, 0o700);
        chmodSync(join(data, "data.mdb"), 0o600);
        await startUnprivileged(station, data).line(/listens on/);
        expect((await statusOf("readyz"))[0]).toBe(200);
        await drain([station, station]);
        await expectNothingRefused();
      }, 180_000);
    },
  );

  // A file system of its own, so large, that a user may mount where the system lets users have their own mounts.
  describe.skipIf(spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status !== 0)(
    "on a disk that is full",
    () => {
      test("takes nothing from a gateway that runs: the pages that its buckets are on are its own", async () => {
        const [station, gateway] = await onSmallDisk("4m");
        await gateway.process.line(/listens on/);
        expect(await ask(station)).toBe(200);
        fill(gateway);
        await drain([station, station]);
        const statuses = new Set(await Promise.all(Array.from({ length: 20 }, () => ask(station))));
        expect([...statuses].every((status) => [200, 429, 503].includes(status))).toBe(true);
        await expectNothingRefused();
      }, 180_000);

      test("keeps a gateway from starting, with an error that names it", async () => {
        const [, gateway] = await onSmallDisk("4k");
        expect(await gateway.process.ended).toBe(1);
        expect(gateway.process.output).toContain(gateway.data);
        expect(gateway.process.output).toContain("ENOSPC");
      }, 180_000);
    },
  );
});

/** Without what lets root write anything: a file's owner then has what the file's mode says. */
const UNPRIVILEGED: readonly string[] =
  process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] : [];

/** Whether a process started so may not write into a folder that its mode protects. */
function isRefusedWhatIsNotWritable(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "sluice-unwritable-"));
  chmodSync(folder, 0o500);
  const [command, ...args] = [...UNPRIVILEGED, "test", "-w", folder];
  const { status } = spawnSync(command, args);
  rmSync(folder, { recursive: true });
  return status === 1;
}

/** Starts a gateway in a station's place. */
function startUnprivileged(station: Station, data: string): Running {
  const gateway = new Running(["start", "--config", configOf(station), "--data-dir", data], {
    nodeArgs: ["--import", SET_OUT],
    wrapper: UNPRIVILEGED,
  });
  others.push(gateway);
  return gateway;
}

/** Puts a copy in a file's place, as a backup tool or a volume that is swapped does. */
function replaceFile(path: string): void {
  cpSync(path, `${path}.copy`);
  renameSync(`${path}.copy`, path);
}

/** Sets how long a file of the process may become, in bytes. */
function limitFiles({ process: { child } }: Station, bytes: string): void {
  const { status, stderr } = spawnSync("prlimit", ["--pid", String(child.pid), `--fsize=${bytes}:`]);
  if (status !== 0) throw new Error(stderr.toString());
}

interface OnSmallDisk {
  readonly process: Running;
  readonly data: string;
}

/** Starts a gateway in the place of a fleet's only one, with a data folder that is a file system of this size. */
async function onSmallDisk(size: string): Promise<readonly [Station, OnSmallDisk]> {
  const station = at(await start(1), 0);
  await station.kill();
  const data = join(station.directory, "small");
  mkdirSync(data);
  const mounted = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"';
  const process = new Running(["start", "--config", configOf(station), "--data-dir", data], {
    nodeArgs: ["--import", SET_OUT],
    wrapper: ["unshare", "-rm", "sh", "-c", mounted, size, data],
  });
  others.push(process);
  return [station, { process, data }];
}

/** Writes a file into the folder, as that process sees it, until there is no room for another byte. */
function fill({ process: { child }, data }: OnSmallDisk): string {
  const filler = join(`/proc/${child.pid}/root`, data, "filler");
  for (const bytes of [65_536, 4096, 1]) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(bytes), { flag: "a" });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    }
  }
  return filler;
}
