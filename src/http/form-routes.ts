// The routes whose bodies are forms with files: image edits and variations, transcriptions and translations. A form goes to
// the gateway as soon as its model is known, and flows on from there; files are never kept whole for their own sake.
import type { IncomingMessage, ServerResponse } from "node:http";
import { randomRequestId } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { boundaryOf } from "../gateway/request/multipart.ts";
import { checkModel } from "../gateway/request/request-members.ts";
import { bareMembers } from "../gateway/request/request.ts";
import { ROUTES, type Route } from "../gateway/routes.ts";
import type { ClientKey } from "../gateway/runtime.ts";
import type { Upload } from "../gateway/request/upload.ts";
import {
  downstreamOf,
  factsOf,
  isMethodServed,
  NO_BODY,
  turnAway,
  type Arrival,
  type Door,
} from "./arrival.ts";
import type { Authenticator } from "./authenticate.ts";
import { announcedLength } from "./content.ts";
import { unnamedModel } from "./json-routes.ts";
import type { UploadReader } from "./upload.ts";

const FORM_ROUTES: readonly Route[] = [
  ROUTES.imageEdits,
  ROUTES.imageVariations,
  ROUTES.transcriptions,
  ROUTES.translations,
];

export interface FormRoutesOptions extends Door {
  readonly gateway: Gateway;
  readonly authenticator: Authenticator;
  readonly uploadReader: UploadReader;
  readonly uploadBytesMax: number;
}

interface FormArrival extends Arrival {
  readonly route: Route;
}

export class FormRoutes {
  readonly #options: FormRoutesOptions;
  readonly #routes = new Map(FORM_ROUTES.map((route) => [route.pattern, route]));

  constructor(options: FormRoutesOptions) {
    this.#options = options;
  }

  has(path: string): boolean {
    return this.#routes.has(path);
  }

  /** Serves the request if it is for one of these routes; `false`: it is not, nothing was done. */
  serve(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const route = this.#routes.get(path);
    if (route === undefined) return false;
    const arrival: FormArrival = {
      id: randomRequestId(),
      receivedMs: this.#options.clock.elapsedMs(),
      pattern: route.pattern,
      shape: "chat",
      allow: "POST",
      request,
      response,
      route,
    };
    try {
      if (isMethodServed(arrival)) this.#admit(arrival);
    } catch (error) {
      turnAway(this.#options, arrival, error);
    }
    return true;
  }

  /** Everything that can be said by the head alone; then the form is read. */
  #admit(arrival: FormArrival): void {
    const { gateway, authenticator, uploadReader, uploadBytesMax } = this.#options;
    const { request, response, receivedMs } = arrival;
    const { headers } = request;
    const key = authenticator.authenticate(request, gateway.runtime);
    const contentType = headers["content-type"] ?? "";
    const boundary = boundaryOf(contentType);
    checkIsPlain(headers["content-encoding"]);
    const announcedBytes = announcedLength(headers, uploadBytesMax);
    if (headers.expect !== undefined) response.writeContinue();
    uploadReader.read(request, { contentType, boundary, announcedBytes }, receivedMs, (error, upload) => {
      try {
        if (error !== null) throw error;
        this.#handOver(arrival, key, upload);
      } catch (failure) {
        turnAway(this.#options, arrival, failure);
        upload.close();
      }
    });
  }

  #handOver(arrival: FormArrival, key: ClientKey, upload: Upload): void {
    const { route, response } = arrival;
    if (response.destroyed) return upload.close();
    const { gateway } = this.#options;
    const model = upload.model ?? unnamedModel(route, gateway.runtime);
    if (model === null) {
      throw new GatewayError("invalid_request", "The form has no field `model`.", { param: "model" });
    }
    checkModel(model);
    const given = { body: NO_BODY, upload, direct: null, members: bareMembers(model) };
    gateway.serve(factsOf(arrival, route, key, given), downstreamOf(arrival, false));
  }
}

/** Throws `unsupported_media_type` for a form that is compressed: nobody sends one, and its fields could not be read. */
function checkIsPlain(encoding: string | undefined): void {
  if (encoding === undefined || encoding === "" || encoding === "identity") return;
  throw new GatewayError(
    "unsupported_media_type",
    "Forms are not taken compressed: send it without `content-encoding`.",
  );
}
