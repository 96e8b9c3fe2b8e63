import { readFile, stat } from 'node:fs/promises';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import type { CipherMaterial } from '../cipher/cipher-from.ts';
import type { Config } from '../settings/table.ts';

/** Bits by which others than the owner could read or change a file. */
const OTHERS = 0o077;

/**
 * The keys that the settings ask for, once a process: worker threads are given the result. Throws
 * `usage` for a key file that cannot be read or that others can, and for a key of the wrong length.
 */
export async function loadCipherMaterial(config: Config): Promise<CipherMaterial> {
  const { libsodiumKey: inline, libsodiumKeyPath: path, libsodiumKeyTransform: transform } = config;
  if (inline === undefined && path === undefined) return { kind: 'none' };
  const { libsodiumKey } = await import('../cipher/libsodium-key.ts');
  const text = inline?.reveal() ?? (await readKeyFile(path ?? ''));
  return { kind: 'libsodium', key: libsodiumKey(text, transform) };
}

async function readKeyFile(path: string): Promise<string> {
  try {
    const { mode } = await stat(path);
    if ((mode & OTHERS) !== 0) {
      throw new TsbkError('usage', `the key file ${path} is open to others`, {
        hint: `chmod 600 ${path}`,
      });
    }
    // WAL-G cuts white space from files, never from the inline key.
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (error instanceof TsbkError) throw error;
    throw new TsbkError('usage', `cannot read the key file ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
