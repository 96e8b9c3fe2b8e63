/** The part of a `WriteStream` that the frame needs. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Calls `written`, if given, once there is room for more. */
  write(text: string | Uint8Array, written?: () => void): unknown;
}
