import type { ByteStage } from './bytes.ts';

/**
 * Encryption at rest. Whether an object is encrypted is not visible in a WAL-G repository: the
 * configuration of the reader decides. `decrypt` throws `wrong-key` when the very first chunk does
 * not authenticate and `object-corrupt` for damage or truncation after that.
 */
export interface Cipher {
  readonly name: 'none' | 'libsodium';
  /** A hash that names the key and reveals nothing of it; absent for `none`. */
  readonly keyId?: string;
  readonly encrypt: ByteStage;
  readonly decrypt: ByteStage;
}
