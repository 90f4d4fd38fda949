// Installs the dependencies when they are missing or older than the lockfile, so that `npm start` and `npm test`
// each work as the only command after a clone. Plain JavaScript with no imports from npm: it has to run before
// anything is installed, under whatever Node the machine has (20 or later).
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";

const INSTALLED = "node_modules/.package-lock.json";
const LOCKFILE = "package-lock.json";

/** Whether node_modules holds what the lockfile asks for, and the pinned Node among it. */
function isInstalled() {
  if (!existsSync(INSTALLED) || !existsSync("node_modules/.bin/node")) return false;
  if (statSync(INSTALLED).mtimeMs >= statSync(LOCKFILE).mtimeMs) return true;
  // A checkout gives the lockfile a new time without changing it, so the contents decide.
  const wanted = JSON.parse(readFileSync(LOCKFILE, "utf8")).packages;
  const present = JSON.parse(readFileSync(INSTALLED, "utf8")).packages;
  // Optional packages of other platforms are wanted but rightly absent.
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === "" || (present[path] ? present[path].version === version : optional),
  );
}

if (!isInstalled()) {
  console.error("Installing dependencies (once; about 20 seconds) …");
  // `npm ci` refuses a lockfile in which optional packages of other platforms are missing; `npm install` does not.
  const { status } = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], {
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error("npm install failed: see the lines above. Is the npm registry reachable?");
    process.exit(status ?? 1);
  }
}
