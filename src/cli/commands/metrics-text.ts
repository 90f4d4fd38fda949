// Reads Prometheus' text format back, as much of it as `/metrics` writes: samples with their labels. Lines that are
// not samples are skipped.

export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text: string): readonly MetricSample[] {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    return name === undefined || value === undefined
      ? []
      : [{ name, labels: parseLabels(labels), value: toNumber(value) }];
  });
}

function parseLabels(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(LABEL)].map(
    ([, name = "", value = ""]) => [name, unescape(value)] as const,
  );
  return Object.fromEntries(pairs);
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

function toNumber(text: string): number {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}
