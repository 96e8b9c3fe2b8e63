/**
 * `crypto_secretstream_xchacha20poly1305` of libsodium: chunks that authenticate each other's order,
 * after a random header. Chunks go into buffers that the caller gives, so that many of them can
 * leave as one.
 */
export interface Secretstream {
  readonly implementation: 'native' | 'portable';
  /** Begins a stream to write, with a random header. */
  createSealer(key: Uint8Array): Sealer;
  /** Begins a stream to read, whose first `HEADER_BYTES` bytes are `header`. */
  createOpener(key: Uint8Array, header: Uint8Array): Opener;
}

export interface Sealer {
  /** The bytes the stream begins with. */
  readonly header: Uint8Array;
  /** Encrypts one chunk into `sealed`, which is `SEAL_BYTES` longer. */
  seal(plain: Uint8Array, sealed: Uint8Array, options: { readonly final: boolean }): void;
  /** Frees the state. Nothing else may be called afterwards. */
  close(): void;
}

export interface Opener {
  /** Decrypts one chunk into `plain`, which is `SEAL_BYTES` shorter. */
  open(sealed: Uint8Array, plain: Uint8Array): ChunkKind;
  /** Frees the state. Nothing else may be called afterwards. */
  close(): void;
}

/** `forged`: it does not authenticate. `other`: with a tag of libsodium that WAL-G never sets. */
export type ChunkKind = 'message' | 'final' | 'other' | 'forged';

export const HEADER_BYTES = 24;
/** What sealing adds to a chunk: the tag and the authentication code. */
export const SEAL_BYTES = 17;

/**
 * The native implementation where its optional package is installed and loads, else the portable
 * one. Both make and read the same streams.
 */
export async function loadSecretstream(): Promise<Secretstream> {
  try {
    const { loadNativeSecretstream } = await import('./secretstream-native.ts');
    return await loadNativeSecretstream();
  } catch {
    const { loadPortableSecretstream } = await import('./secretstream-portable.ts');
    return await loadPortableSecretstream();
  }
}
