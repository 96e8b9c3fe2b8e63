import type { Cipher } from '../ports/cipher.ts';

/** Leaves objects as they are. */
export const noCipher: Cipher = {
  name: 'none',
  encrypt: (source) => source,
  decrypt: (source) => source,
};
