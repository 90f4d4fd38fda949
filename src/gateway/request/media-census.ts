// The media in a request: images by the type of their content part, and base64 by where it stands. It is counted while the
// request is scanned (json-scan.ts), one text after the other.
//
//   {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0…"}}
//           └ an image                     └ bytes that are not text
import { equalBytes } from "./member-table.ts";

export interface Media {
  /** How many content parts are images, by their `type`. */
  readonly imageCount: number;
  /** Bytes inside `data:` URLs and base64 `data` members: they are not text and must not be estimated as such. */
  readonly mediaBytes: number;
  /** Where the large ones among them stand, as pairs of offsets: inside the quotes. */
  readonly largeMedia: readonly number[];
}

/** Shorter strings are never counted as media, so that ordinary text is not looked at twice. */
const MEDIA_BYTES_MIN = 256;

/** From this size on media are worth handling apart from the text around them. */
const LARGE_BYTES_MIN = 64 * 1024;
/** Never added to. */
const NO_MEDIA: number[] = [];

const TYPE = Buffer.from("type");
const DATA_URL = Buffer.from("data:");
const MEDIA_NAMES = [Buffer.from("data"), Buffer.from("file_data")];
const IMAGE_TYPES = [Buffer.from("image_url"), Buffer.from("input_image"), Buffer.from("image")];

export class MediaCensus implements Media {
  imageCount = 0;
  mediaBytes = 0;
  largeMedia = NO_MEDIA;
  readonly #bytes: Uint8Array;

  /** `bytes`: the request's. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Looks at a member whose value is a string: its name and its content, without their quotes. */
  inspect(nameStart: number, nameEnd: number, start: number, end: number): void {
    const bytes = this.#bytes;
    const length = end - start;
    if (length >= MEDIA_BYTES_MIN) {
      const isMedia =
        equalBytes(bytes, start, start + DATA_URL.length, DATA_URL) ||
        MEDIA_NAMES.some((name) => equalBytes(bytes, nameStart, nameEnd, name));
      if (isMedia) this.mediaBytes += length;
      if (isMedia && length >= LARGE_BYTES_MIN) this.#noteLarge(start, end);
    } else if (nameEnd - nameStart === TYPE.length && equalBytes(bytes, nameStart, nameEnd, TYPE)) {
      if (IMAGE_TYPES.some((type) => equalBytes(bytes, start, end, type))) this.imageCount++;
    }
  }

  #noteLarge(start: number, end: number): void {
    if (this.largeMedia === NO_MEDIA) this.largeMedia = [];
    this.largeMedia.push(start, end);
  }
}
