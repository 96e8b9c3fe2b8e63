import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';

/** One request of the S3 protocol, about the bucket or about one object in it. */
export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** The object's key in the bucket; the bucket itself if absent. */
  readonly key?: string;
  /** What is `undefined` is not sent; what is empty stands without a value (`?uploads`). */
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Names in lower case; what is `undefined` is not sent. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: Uint8Array;
  /** Whether the answer's body is left to the caller, who must read or destroy it. Else it is text. */
  readonly streams?: boolean;
}

/** An answer of success: 2xx. */
export interface S3Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body, read to its end; empty if it is left to the caller. */
  readonly text: string;
  /** The body, if it is left to the caller. */
  readonly body: Readable | undefined;
}

/** Speaks S3 with one bucket. It tries once. */
export interface S3Client {
  /**
   * Rejects with an `S3Failure` for any other answer, and with what the network or the credentials
   * threw. When the signal aborts the connection is closed.
   */
  send(request: S3Request, options: { readonly abortSignal: AbortSignal }): Promise<S3Answer>;
  /** Asks for new credentials, where they come from somewhere. Throws what that throws. */
  renewCredentials(): Promise<void>;
  /** Closes the connections. */
  destroy(): void;
}
