// The simulators that run inside this process: one server, with a quota of its own, for each provider of that type.
// They are started before a configuration is put in force, since listening takes a moment. One that is not needed any
// more, or needed with other settings, goes on for the requests that it has and is closed at the next change.
import type { Config, Provider } from "../../config/config.ts";
import { parseSettings } from "../../simulator/settings.ts";
import { startSimulator, type Simulator, type SimulatorOptions } from "../../simulator/simulator.ts";

interface Started {
  readonly simulator: Simulator;
  readonly settings: string;
}

export class Simulators {
  #running = new Map<string, Started>();
  #retired: Started[] = [];

  /** Starts what this configuration needs besides what runs. Rejects with `invalid_config` for settings that make no sense; then nothing has changed. */
  async prepare(config: Config): Promise<void> {
    const needed = [...config.providers.values()].filter(({ isSimulator }) => isSimulator);
    const settings = new Map(needed.map(({ name, options }) => [name, parseSettings(options)]));
    const next = new Map<string, Started>();
    const added: Started[] = [];
    try {
      for (const provider of needed) {
        const known = this.#find(provider);
        const started = known ?? (await start(provider, settings.get(provider.name)));
        if (known === undefined) added.push(started);
        next.set(provider.name, started);
      }
    } catch (error) {
      await closeAll(added);
      throw error;
    }
    await closeAll(this.#retired);
    const kept = new Set(next.values());
    this.#retired = [...this.#running.values()].filter((started) => !kept.has(started));
    this.#running = next;
  }

  /** `http://127.0.0.1:PORT` of this provider's; undefined while none runs. */
  url(provider: string): string | undefined {
    return this.#running.get(provider)?.simulator.url;
  }

  async close(): Promise<void> {
    await closeAll([...this.#retired, ...this.#running.values()]);
  }

  #find(provider: Provider): Started | undefined {
    const started = this.#running.get(provider.name);
    return started?.settings === textOf(provider) ? started : undefined;
  }
}

async function start(provider: Provider, settings: SimulatorOptions | undefined): Promise<Started> {
  return { simulator: await startSimulator(settings), settings: textOf(provider) };
}

function textOf({ options }: Provider): string {
  return JSON.stringify(options);
}

async function closeAll(started: readonly Started[]): Promise<void> {
  await Promise.all(started.map(({ simulator }) => simulator.close()));
}
