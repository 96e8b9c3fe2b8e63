import sodium, { type StateAddress } from 'libsodium-wrappers';
import type { ChunkKind, Secretstream } from './secretstream.ts';

/** libsodium compiled to WebAssembly. A state lives in the library's own memory until `close`. */
export async function loadPortableSecretstream(): Promise<Secretstream> {
  await sodium.ready;
  return {
    implementation: 'portable',
    createSealer: (key) => {
      const { state, header } = sodium.crypto_secretstream_xchacha20poly1305_init_push(key);
      return {
        header,
        seal: (plain, sealed, { final }) => {
          const tag = final
            ? sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
            : sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
          sealed.set(sodium.crypto_secretstream_xchacha20poly1305_push(state, plain, null, tag));
        },
        close: () => free(state),
      };
    },
    createOpener: (key, header) => {
      const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(header, key);
      return {
        open: (sealed, plain) => {
          const opened = sodium.crypto_secretstream_xchacha20poly1305_pull(state, sealed, null);
          if (opened === false) return 'forged';
          plain.set(opened.message);
          return kindOf(opened.tag);
        },
        close: () => free(state),
      };
    },
  };
}

function kindOf(tag: number): ChunkKind {
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
