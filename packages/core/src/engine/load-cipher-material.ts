import { readFile, stat } from 'node:fs/promises';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import type { CipherMaterial } from '../cipher/cipher-from.ts';
import { libsodiumKey } from '../cipher/libsodium-key.ts';
import type { Config } from '../settings/table.ts';

/** Bits by which others than the owner could read or change a file. */
const OTHERS = 0o077;

/**
 * The keys that the settings ask for, once a process: worker threads are given the result. OpenPGP
 * comes before libsodium where both are set, as in WAL-G. Throws `usage` for a key file that cannot
 * be read or that others can, for a key of the wrong length and for a key command that fails.
 */
export async function loadCipherMaterial(
  config: Config,
  { signal }: { readonly signal: AbortSignal },
): Promise<CipherMaterial> {
  const { keyCommand, pgpKey, pgpKeyPath, libsodiumKey: inline, libsodiumKeyPath } = config;
  if (keyCommand !== undefined) {
    // Few have one, and it loads what starts processes.
    const { runKeyCommand } = await import('./run-key-command.ts');
    const text = (await runKeyCommand(keyCommand, { signal })).trim();
    return isArmored(text) ? openpgp(text, config) : libsodium(text, config);
  }
  // In an environment variable a line end is often written as two characters.
  if (pgpKey !== undefined)
    return openpgp(pgpKey.reveal().replaceAll(String.raw`\n`, '\n'), config);
  if (pgpKeyPath !== undefined) {
    return openpgp(await readKeyFile(pgpKeyPath, { isPublic: isPublicKey }), config);
  }
  if (inline !== undefined) return libsodium(inline.reveal(), config);
  if (libsodiumKeyPath === undefined) return { kind: 'none' };
  // WAL-G cuts white space from files, never from the inline key.
  const text = await readKeyFile(libsodiumKeyPath, { isPublic: () => false });
  return libsodium(text.trim(), config);
}

function openpgp(armored: string, { pgpKeyPassphrase }: Config): CipherMaterial {
  return { kind: 'openpgp', armored, passphrase: pgpKeyPassphrase?.reveal() };
}

function libsodium(text: string, { libsodiumKeyTransform }: Config): CipherMaterial {
  return { kind: 'libsodium', key: libsodiumKey(text, libsodiumKeyTransform) };
}

function isArmored(text: string): boolean {
  return text.startsWith('-----BEGIN PGP');
}

function isPublicKey(text: string): boolean {
  return isArmored(text.trimStart()) && !text.includes('-----BEGIN PGP PRIVATE');
}

/** Others may read the file only if what it holds is public. */
async function readKeyFile(
  path: string,
  { isPublic }: { readonly isPublic: (text: string) => boolean },
): Promise<string> {
  try {
    const { mode } = await stat(path);
    const text = await readFile(path, 'utf8');
    if ((mode & OTHERS) !== 0 && !isPublic(text)) {
      throw new TsbkError('usage', `the key file ${path} is open to others`, {
        hint: `chmod 600 ${path}`,
      });
    }
    return text;
  } catch (error) {
    if (error instanceof TsbkError) throw error;
    throw new TsbkError('usage', `cannot read the key file ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
