import { readFile, stat } from 'node:fs/promises';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import { noCipher } from '../cipher/none.ts';
import type { Cipher } from '../ports/cipher.ts';
import type { Config } from '../settings/table.ts';

/** Bits by which others than the owner could read or change a file. */
const OTHERS = 0o077;

/**
 * The cipher that the settings ask for; its library loads only then. Throws `usage` for a key file
 * that cannot be read or that others can, and for a key of the wrong length.
 */
export async function openCipher(config: Config): Promise<Cipher> {
  const { libsodiumKey: inline, libsodiumKeyPath: path, libsodiumKeyTransform: transform } = config;
  if (inline === undefined && path === undefined) return noCipher;
  const { libsodiumKey } = await import('../cipher/libsodium-key.ts');
  const { libsodiumCipher } = await import('../cipher/libsodium.ts');
  const text = inline?.reveal() ?? (await readKeyFile(path ?? ''));
  return await libsodiumCipher(libsodiumKey(text, transform));
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
