// The cluster's manifests without a cluster: what refers to what, and that the configuration inside is sound.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "../../src/config/load.ts";

const TEXT = readFileSync(join(import.meta.dirname, "../../deploy/kubernetes.yaml"), "utf8");

/** The manifests as the API server would read them. */
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly serviceName?: string;
    readonly clusterIP?: string;
    readonly ports?: readonly { readonly port: number; readonly targetPort: string }[];
    readonly template: { readonly spec: { readonly containers: readonly Container[] } };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

interface Container {
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits: { readonly memory: string } };
  readonly env: readonly { readonly name: string }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: object;
}

const manifests = parseAllDocuments(TEXT).map((document): Manifest => JSON.parse(JSON.stringify(document)));
const find = (kind: string, name: string) =>
  manifests.find((one) => one.kind === kind && one.metadata.name === name);
const set = find("StatefulSet", "sluice")?.spec;
const container = set?.template.spec.containers[0];

test("siblings find each other through the headless service that the set names", async () => {
  const service = find("Service", set?.serviceName ?? "")?.spec;
  expect(service?.clusterIP).toBe("None");
  const folder = mkdtempSync(join(tmpdir(), "sluice-kubernetes-"));
  writeFileSync(join(folder, "sluice.yaml"), find("ConfigMap", "sluice")?.data?.["sluice.yaml"] ?? "");
  const env = Object.fromEntries(
    (container?.env ?? []).map(({ name }) => [name, `a-long-secret-of-${name}`]),
  );
  const { config, warnings } = await loadConfig({ cwd: folder, env, hostName: "sluice-0" });
  rmSync(folder, { recursive: true });
  expect(warnings).toEqual([]);
  expect(config.fleet.peers).toEqual([
    { kind: "dns", host: set?.serviceName, port: service?.ports?.[0]?.port },
  ]);
  const fleetPort = container?.ports.find(({ name }) => name === "fleet")?.containerPort;
  expect(config.fleet.listen?.port).toBe(fleetPort);
});

test("large bodies leave the process 300 MB of its memory", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-kubernetes-"));
  writeFileSync(join(folder, "sluice.yaml"), find("ConfigMap", "sluice")?.data?.["sluice.yaml"] ?? "");
  const env = Object.fromEntries(
    (container?.env ?? []).map(({ name }) => [name, `a-long-secret-of-${name}`]),
  );
  const { config } = await loadConfig({ cwd: folder, env, hostName: "sluice-0" });
  rmSync(folder, { recursive: true });
  expect(container?.resources.limits.memory).toBe("1Gi");
  expect(config.http.bodyBytesTotalMax).toBeLessThanOrEqual(2 ** 30 - 300e6);
});

test("each keeps its own disk, mounted where the image writes, and writes nowhere else", () => {
  const data = container?.volumeMounts.find(({ mountPath }) => mountPath === "/data");
  expect(set?.volumeClaimTemplates?.map(({ metadata }) => metadata.name)).toEqual([data?.name]);
  expect(container?.securityContext).toMatchObject({
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
  });
});

test("services point at ports that the container has", () => {
  const ports = new Set(container?.ports.map(({ name }) => name));
  const targets = manifests.filter(({ kind }) => kind === "Service").flatMap(({ spec }) => spec?.ports ?? []);
  expect(targets.every(({ targetPort }) => ports.has(targetPort))).toBe(true);
});
