// The address of what listens here, as callers on this machine use it.

/** `http://HOST:PORT`; an address that means "all addresses" can't be connected to everywhere, so loopback stands for it. */
export function localUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  const reachable = host === "0.0.0.0" || host === "" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
