// What the sections of `sluice.yaml` about the gateway's own behaviour towards its clients mean; a part of `Config`.

/** The bounds on clients' connections and requests. */
export interface HttpConfig {
  readonly bodyBytesMax: number;
  /** All large bodies together. */
  readonly bodyBytesTotalMax: number;
  /** A form with files. */
  readonly uploadBytesMax: number;
  readonly headBytesMax: number;
  readonly connectionsMax: number;
  readonly headTimeoutMs: number;
  /** Longest silence in the middle of a body. */
  readonly bodyStallMs: number;
  /** For the head and the body together. */
  readonly requestTimeoutMs: number;
  /** How long a client may take nothing of what waits for it. */
  readonly writeStallMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number;
}

/** The response cache. */
export interface CacheConfig {
  /** How long an answer may be given again; 0: none is kept. */
  readonly ttlMs: number;
  /** Names as clients ask for them; null: all. */
  readonly models: ReadonlySet<string> | null;
  readonly except: ReadonlySet<string>;
  /** Whether client keys get each other's answers. */
  readonly isShared: boolean;
  readonly memoryBytesMax: number;
  /** 0: memory only. */
  readonly diskBytesMax: number;
  readonly answerBytesMax: number;
}
