import type { Cipher } from '../ports/cipher.ts';
import { noCipher } from './none.ts';

/**
 * What a cipher is built from: plain data with the keys in it, resolved already, so that it can be
 * posted to a worker thread. It holds secrets: never log it, never store it.
 */
export type CipherMaterial =
  | { readonly kind: 'none' }
  /** `key` has the 32 bytes that secretstream wants. */
  | { readonly kind: 'libsodium'; readonly key: Uint8Array }
  /** Public or private keys, as text. Each thread unlocks them itself, when it first reads. */
  | {
      readonly kind: 'openpgp';
      readonly armored: string;
      readonly passphrase: string | undefined;
    };

/** The cipher of this material, in whatever thread. Its library loads only then. */
export async function cipherFrom(material: CipherMaterial): Promise<Cipher> {
  switch (material.kind) {
    case 'none':
      return noCipher;
    case 'libsodium': {
      const { libsodiumCipher } = await import('./libsodium.ts');
      return await libsodiumCipher(material.key);
    }
    case 'openpgp': {
      const { openpgpCipher } = await import('./openpgp/cipher.ts');
      return await openpgpCipher(material);
    }
  }
}
