import type { TsbkError } from '../kernel/errors.ts';
import type { ByteStage } from './bytes.ts';

/**
 * Encryption at rest. Whether an object is encrypted is not visible in a WAL-G repository: the
 * configuration of the reader decides. `decrypt` throws `wrong-key` when the data is not for the
 * configured key and `object-corrupt` for damage or truncation; what it gave out before its end is
 * not proven whole. Both stages are done with a chunk when they ask for the next one.
 */
export interface Cipher {
  readonly name: 'none' | 'libsodium' | 'openpgp';
  /** A hash that names the key and reveals nothing of it; absent for `none`. */
  readonly keyId?: string;
  /**
   * `key-missing` where the configured key can write and not read, absent where it can. `decrypt`
   * throws it then, and who would download something for it looks here first.
   */
  readonly unreadable?: TsbkError | undefined;
  readonly encrypt: ByteStage;
  readonly decrypt: ByteStage;
}
