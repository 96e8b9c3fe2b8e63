import type { SodiumNative } from 'sodium-native';
import { type ChunkKind, HEADER_BYTES, type Secretstream } from './secretstream.ts';

/** Throws when the addon is not installed or not made for this machine. */
export async function loadNativeSecretstream(): Promise<Secretstream> {
  const { default: sodium } = await import('sodium-native');
  return {
    implementation: 'native',
    createSealer: (key) => {
      const state = newState(sodium);
      const header = new Uint8Array(HEADER_BYTES);
      sodium.crypto_secretstream_xchacha20poly1305_init_push(state, header, key);
      return {
        header,
        seal: (plain, sealed, { final }) => {
          const tag = final
            ? sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
            : sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
          sodium.crypto_secretstream_xchacha20poly1305_push(state, sealed, plain, null, tag);
        },
        close: () => state.fill(0),
      };
    },
    createOpener: (key, header) => {
      const state = newState(sodium);
      const tag = new Uint8Array(1);
      sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key);
      return {
        open: (sealed, plain) => {
          try {
            sodium.crypto_secretstream_xchacha20poly1305_pull(state, plain, tag, sealed, null);
          } catch {
            // It says neither why nor by a code; a forged chunk is all that is left to go wrong.
            return 'forged';
          }
          return kindOf(sodium, tag[0]);
        },
        close: () => state.fill(0),
      };
    },
  };
}

/** Memory of ours that the collector frees; it holds the stream's key. */
function newState(sodium: SodiumNative): Uint8Array {
  return new Uint8Array(sodium.crypto_secretstream_xchacha20poly1305_STATEBYTES);
}

function kindOf(sodium: SodiumNative, tag: number | undefined): ChunkKind {
  if (tag === sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE) return 'message';
  return tag === sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL ? 'final' : 'other';
}
