import sodium, { type StateAddress } from 'libsodium-wrappers';

/**
 * `crypto_secretstream_xchacha20poly1305` of libsodium compiled to WebAssembly. Use after
 * `secretstreamReady`. A state lives in the library's own memory until `close`.
 */
export interface Sealer {
  /** The bytes the stream begins with. */
  readonly header: Uint8Array;
  /** Encrypts one chunk; the result is `SEAL_BYTES` longer. */
  seal(plain: Uint8Array, options: { readonly final: boolean }): Uint8Array;
  close(): void;
}

export interface Opener {
  /** Decrypts one chunk. `undefined` if it does not authenticate. */
  open(sealed: Uint8Array): OpenedChunk | undefined;
  close(): void;
}

export interface OpenedChunk {
  readonly plain: Uint8Array;
  /** `other` are the tags of libsodium that WAL-G never sets. */
  readonly kind: 'message' | 'final' | 'other';
}

export const HEADER_BYTES = 24;
/** What sealing adds to a chunk: the tag and the authentication code. */
export const SEAL_BYTES = 17;

/** Resolves when the library can be used. */
export async function secretstreamReady(): Promise<void> {
  await sodium.ready;
}

/** Begins a stream to write, with a random header. */
export function createSealer(key: Uint8Array): Sealer {
  const { state, header } = sodium.crypto_secretstream_xchacha20poly1305_init_push(key);
  return {
    header,
    seal: (plain, { final }) => {
      const tag = final
        ? sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
        : sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
      return sodium.crypto_secretstream_xchacha20poly1305_push(state, plain, null, tag);
    },
    close: () => free(state),
  };
}

/** Begins a stream to read, whose first `HEADER_BYTES` bytes are `header`. */
export function createOpener(key: Uint8Array, header: Uint8Array): Opener {
  const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(header, key);
  return {
    open: (sealed) => {
      const opened = sodium.crypto_secretstream_xchacha20poly1305_pull(state, sealed, null);
      return opened === false ? undefined : { plain: opened.message, kind: kindOf(opened.tag) };
    },
    close: () => free(state),
  };
}

function kindOf(tag: number): OpenedChunk['kind'] {
  if (tag === sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE) return 'message';
  return tag === sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL ? 'final' : 'other';
}

/**
 * The wrapper allocates a state for each stream and has no call to give it back; a daemon would
 * leak one for each WAL file. The module below it, which its types do not mention, has.
 */
function free(state: StateAddress): void {
  const { libsodium } = sodium as { readonly libsodium?: { _free(address: unknown): void } };
  libsodium?._free(state);
}
