// The chart without Helm and without a cluster: what it renders to, what refers to what, and that the configuration
// inside is sound. Helm's own checks (`helm lint`, `helm template`) and a cluster's were not run on it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { renderChart, valuesWith } from "./chart.ts";

const labels = z.record(z.string(), z.string());
const named = z.object({ kind: z.string(), metadata: z.object({ name: z.string(), labels }) });
const configMap = z.object({ data: z.object({ "sluice.yaml": z.string() }) });
const service = z.object({
  spec: z.object({
    clusterIP: z.string().optional(),
    publishNotReadyAddresses: z.boolean().optional(),
    selector: labels,
    ports: z.array(z.object({ port: z.number(), targetPort: z.string() })),
  }),
});
const statefulSet = z.object({
  spec: z.object({
    replicas: z.number(),
    serviceName: z.string(),
    selector: z.object({ matchLabels: labels }),
    volumeClaimTemplates: z
      .array(z.object({ metadata: z.object({ name: z.string() }), spec: z.looseObject({}) }))
      .optional(),
    template: z.object({
      metadata: z.object({ labels }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        volumes: z.array(z.looseObject({ name: z.string() })),
        containers: z.tuple([
          z.object({
            image: z.string(),
            ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
            envFrom: z.tuple([z.object({ secretRef: z.object({ name: z.string() }) })]),
            lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }),
            volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
            resources: z.looseObject({}),
          }),
        ]),
      }),
    }),
  }),
});

class Rendered {
  readonly all: readonly unknown[];

  constructor(changes: Readonly<Record<string, unknown>> = {}) {
    this.all = renderChart(valuesWith(changes));
  }

  find<Schema extends z.ZodType>(schema: Schema, kind: string, name = "gate"): z.infer<Schema> {
    const found = this.all.find((manifest) => {
      const { metadata, kind: itsKind } = named.parse(manifest);
      return itsKind === kind && metadata.name === name;
    });
    return schema.parse(found);
  }

  get set(): z.infer<typeof statefulSet>["spec"] {
    return this.find(statefulSet, "StatefulSet").spec;
  }

  kinds(): string[] {
    return this.all.map((manifest) => named.parse(manifest).kind);
  }

  async config(): Promise<Config> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-chart-"));
    try {
      writeFileSync(join(folder, "sluice.yaml"), this.find(configMap, "ConfigMap").data["sluice.yaml"]);
      const names = ["SLUICE_FLEET_SECRET", "SLUICE_ADMIN_KEY", "TEAM_A_KEY", "OPENAI_API_KEY"];
      const env = Object.fromEntries(names.map((name) => [name, `a-long-secret-of-${name}`]));
      const { config, warnings } = await loadConfig({ cwd: folder, env, hostName: "gate-0" });
      if (warnings.length > 0) throw new Error(JSON.stringify(warnings));
      return config;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}

describe("the chart as it is", () => {
  const rendered = new Rendered();
  const { set } = rendered;
  const [container] = set.template.spec.containers;

  test("has a sound configuration, whose siblings find each other through the headless service of the set", async () => {
    const { fleet } = await rendered.config();
    const siblings = rendered.find(service, "Service", set.serviceName).spec;
    expect(siblings).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
    expect(fleet.peers).toEqual([{ kind: "dns", host: set.serviceName, port: siblings.ports[0]?.port }]);
    expect(fleet.listen?.port).toBe(container.ports.find(({ name }) => name === "fleet")?.containerPort);
    expect(fleet.reclaim).toEqual({ kind: "operator" });
  });

  test("selects the pods that it makes, and points at ports that they have", () => {
    expect(set.selector.matchLabels).toEqual(set.template.metadata.labels);
    const ports = container.ports.map(({ name }) => name);
    for (const name of ["gate", "gate-siblings"]) {
      const { spec } = rendered.find(service, "Service", name);
      expect(spec.selector).toEqual(set.template.metadata.labels);
      for (const { targetPort } of spec.ports) expect(ports).toContain(targetPort);
    }
  });

  test("gives a leaving instance the time for preStop, the drain, and the hand-over with what follows it", async () => {
    const { timeouts } = await rendered.config();
    const { seconds } = container.lifecycle.preStop.sleep;
    const neededSeconds = seconds + timeouts.drainMs / 1000 + 20;
    expect(set.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(neededSeconds);
  });

  test("gives each instance a disk of its own where the image writes, and a Secret", () => {
    const data = container.volumeMounts.find(({ mountPath }) => mountPath === "/data");
    expect(set.volumeClaimTemplates?.map(({ metadata }) => metadata.name)).toEqual([data?.name]);
    expect(set.template.spec.volumes.map(({ name }) => name)).toEqual(["config"]);
    expect(container.envFrom[0].secretRef.name).toBe("sluice");
    expect(container.image).toBe("sluice:0.1.0");
  });

  test("has no network policy", () => {
    expect(rendered.kinds().toSorted()).toEqual([
      "ConfigMap",
      "PodDisruptionBudget",
      "Service",
      "Service",
      "StatefulSet",
    ]);
  });
});

describe("values", () => {
  test("can do without disks", () => {
    const { set } = new Rendered({ persistence: { enabled: false } });
    expect(set.volumeClaimTemplates).toBeUndefined();
    expect(set.template.spec.volumes).toContainEqual({ name: "data", emptyDir: {} });
  });

  test("can name a storage class", () => {
    const { set } = new Rendered({ persistence: { storageClassName: "fast" } });
    expect(set.volumeClaimTemplates?.[0]?.spec).toMatchObject({ storageClassName: "fast" });
  });

  test("can lead over NATS, with another policy for who is silent", async () => {
    const { fleet } = await new Rendered({
      fleet: { peers: ["nats://nats:4222"], reclaim: { after: "60s" } },
    }).config();
    expect(fleet.peers).toMatchObject([{ kind: "nats" }]);
    expect(fleet.reclaim).toEqual({ kind: "after", afterMs: 60_000 });
  });

  test("can keep strangers from the fleet's port", () => {
    expect(new Rendered({ networkPolicy: { enabled: true } }).kinds()).toContain("NetworkPolicy");
  });

  test("that a template names and nobody gives are an error", () => {
    expect(() => renderChart({})).toThrow("there is no value");
  });
});
