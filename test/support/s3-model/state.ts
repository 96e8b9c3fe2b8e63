export interface StoredObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly modified: Date;
  /** `x-amz-meta-…` and what else a GET repeats, in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** `crc32` → value in base64, `…-N` for parts. */
  readonly checksums: Readonly<Record<string, string>>;
  /** MD5 of the key of SSE-C. */
  readonly customerKeyMd5?: string | undefined;
}

export interface StoredPart {
  readonly body: Buffer;
  readonly etag: string;
  readonly modified: Date;
  readonly checksums: Readonly<Record<string, string>>;
}

export interface StoredUpload {
  readonly id: string;
  readonly key: string;
  readonly begun: Date;
  readonly headers: Readonly<Record<string, string>>;
  /** Lower case, if the upload was begun with one. */
  readonly checksumAlgorithm?: string | undefined;
  readonly customerKeyMd5?: string | undefined;
  readonly parts: Map<number, StoredPart>;
}

export interface Bucket {
  readonly name: string;
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, StoredUpload>;
}

/** How this service differs from S3 at its best. May be changed while it runs. */
export interface Modes {
  /** `ignored`: as if `If-None-Match` and `If-Match` of a write were not there. */
  conditionalWrites: 'obeyed' | 'ignored' | 'not-implemented';
  /** 403 for a key that does not exist, as for credentials without `s3:ListBucket`. */
  missingIsDenied: boolean;
  /** Operations that are refused: `PutObject`, `GetObject`, … */
  denied: ReadonlySet<string>;
  /** Objects younger than this are not listed. */
  listLagMs: number;
  /** Bytes in all buckets that may be stored. */
  quotaBytes: number;
  /** Session tokens that have expired. */
  expiredTokens: ReadonlySet<string>;
  /** A write must carry a checksum, as in a bucket with object lock. */
  checksumRequired: boolean;
}

export interface Limits {
  readonly partBytesMin: number;
  readonly partsMax: number;
}

export interface State {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly limits: Limits;
  readonly modes: Modes;
  readonly buckets: Map<string, Bucket>;
}

export function createBucket(name: string): Bucket {
  return { name, objects: new Map(), uploads: new Map() };
}

/** Bytes stored in all buckets, unfinished uploads among them. */
export function storedBytes(state: State): number {
  let bytes = 0;
  for (const bucket of state.buckets.values()) {
    for (const object of bucket.objects.values()) bytes += object.body.length;
    for (const upload of bucket.uploads.values()) {
      for (const part of upload.parts.values()) bytes += part.body.length;
    }
  }
  return bytes;
}
