// AWS Signature Version 4 with its hashes passed in: this file is the canonicalisation, which is all rules and traps;
// the cryptography is the machine's. A path is escaped once on the wire and once more before it is signed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

export interface SigV4Crypto {
  /** SHA-256 as 64 hexadecimal digits. */
  sha256Hex(data: Uint8Array | string): string;
  /** HMAC-SHA-256 as 32 bytes. */
  hmac(key: Uint8Array | string, data: string): Uint8Array;
}

export interface SigV4Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

export interface SigV4Scope {
  readonly region: string;
  readonly service: string;
}

/** A request as it will be sent. */
export interface SigV4Request {
  readonly method: string;
  /** Scheme, host, path and query, escaped as on the wire. */
  readonly url: string;
  /** Headers to sign besides the host; the rest of the request's headers may change on the way. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";

/** Signs requests for one service in one region. The key of the day is derived once. */
export class SigV4Signer {
  readonly #credentials: SigV4Credentials;
  readonly #scope: SigV4Scope;
  readonly #crypto: SigV4Crypto;
  #day = "";
  #key: Uint8Array = new Uint8Array(0);

  constructor(credentials: SigV4Credentials, scope: SigV4Scope, crypto: SigV4Crypto) {
    this.#credentials = credentials;
    this.#scope = scope;
    this.#crypto = crypto;
  }

  /** The headers to add to the request; signatures are valid for some minutes around `wallMs`. */
  sign(request: SigV4Request, wallMs: number): Readonly<Record<string, string>> {
    const time = new Date(wallMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
    const payloadHash = this.#crypto.sha256Hex(request.body);
    const { sessionToken } = this.#credentials;
    const added = {
      "x-amz-content-sha256": payloadHash,
      "x-amz-date": time,
      ...(sessionToken === undefined ? {} : { "x-amz-security-token": sessionToken }),
    };
    const { text, signedHeaders } = canonicalRequest(request, added, payloadHash);
    const day = time.slice(0, 8);
    const scope = `${day}/${this.#scope.region}/${this.#scope.service}/aws4_request`;
    const toSign = [ALGORITHM, time, scope, this.#crypto.sha256Hex(text)].join("\n");
    const signature = hex(this.#crypto.hmac(this.#keyOf(day), toSign));
    const credential = `${this.#credentials.accessKeyId}/${scope}`;
    const authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
    return { ...added, authorization };
  }

  #keyOf(day: string): Uint8Array {
    if (day === this.#day) return this.#key;
    const ofDay = this.#crypto.hmac(`AWS4${this.#credentials.secretAccessKey}`, day);
    const ofRegion = this.#crypto.hmac(ofDay, this.#scope.region);
    const ofService = this.#crypto.hmac(ofRegion, this.#scope.service);
    this.#key = this.#crypto.hmac(ofService, "aws4_request");
    this.#day = day;
    return this.#key;
  }
}

export interface CanonicalRequest {
  readonly text: string;
  readonly signedHeaders: string;
}

/** The request in the one form that both sides sign. */
export function canonicalRequest(
  request: SigV4Request,
  added: Readonly<Record<string, string>>,
  payloadHash: string,
): CanonicalRequest {
  const url = new URL(request.url);
  const headers = Object.entries({ ...request.headers, ...added, host: url.host })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replaceAll(/\s+/g, " ")] as const)
    .toSorted(([left], [right]) => compare(left, right));
  const signedHeaders = headers.map(([name]) => name).join(";");
  const lines = headers.map(([name, value]) => `${name}:${value}\n`).join("");
  const method = request.method.toUpperCase();
  const text = [
    method,
    canonicalPath(url.pathname),
    canonicalQuery(url.search),
    lines,
    signedHeaders,
    payloadHash,
  ];
  return { text: text.join("\n"), signedHeaders };
}

/** Each segment of the wire's path escaped again: `%3A` becomes `%253A`. */
export function canonicalPath(pathname: string): string {
  return pathname.split("/").map(escape).join("/") || "/";
}

/** Names and values unescaped, escaped strictly, and sorted. */
function canonicalQuery(search: string): string {
  const query = search.startsWith("?") ? search.slice(1) : search;
  if (query === "") return "";
  const pairs = query.split("&").map((pair) => {
    const equals = pair.indexOf("=");
    const [name, value] = equals === -1 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    return [escape(unescape(name)), escape(unescape(value))] as const;
  });
  return pairs
    .toSorted(([leftName, leftValue], [rightName, rightValue]) =>
      compare(leftName, rightName) === 0 ? compare(leftValue, rightValue) : compare(leftName, rightName),
    )
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign: it stands for itself.
    return text;
  }
}

/** RFC 3986: everything but letters, digits and `-._~`. */
function escape(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** By code unit, whatever the locale. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
