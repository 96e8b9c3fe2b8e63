import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { giveToServerUser } from './postgres.ts';
import { serverFolder } from './wal-commands.ts';

const run = promisify(execFile);

/** Whether there is a `gpg` to compare with. */
export const gpgIsMissing = ((): string | false => {
  try {
    execFileSync('gpg', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'there is no gpg';
  }
})();

/** A key ring of its own, with one key pair; it protects nothing. */
export interface GpgHome extends AsyncDisposable {
  readonly user: string;
  readonly passphrase: string;
  /** Files with the armored keys, readable by the server's user. */
  readonly publicKeyPath: string;
  readonly privateKeyPath: string;
  /** Armored. */
  readonly publicKey: string;
  readonly privateKey: string;
  /** Runs gpg and gives back what it prints. */
  gpg(...args: readonly string[]): Promise<Buffer>;
  /** A path for a file that is removed with the ring. */
  path(name: string): string;
}

/** Generates a key pair of this algorithm (`rsa2048`, `future-default`) with real gpg. */
export async function openGpgHome(algorithm: string): Promise<GpgHome> {
  const home = mkdtempSync(join(tmpdir(), 'tsbk-gpg-'));
  const user = 'tsbk test <test@example.org>';
  const passphrase = 'a passphrase for tests';
  const env = { ...process.env, GNUPGHOME: home };
  const secret = ['--pinentry-mode', 'loopback', '--passphrase', passphrase];
  const gpg = async (...args: readonly string[]): Promise<Buffer> => {
    const all = ['--batch', '--yes', '--quiet', '--trust-model', 'always', ...secret, ...args];
    const options = { env, encoding: 'buffer', maxBuffer: 64 << 20 } as const;
    return (await run('gpg', all, options)).stdout;
  };
  await gpg('--quick-generate-key', user, algorithm, 'default', 'never');
  if (algorithm !== 'future-default') {
    // Quick generation of a named algorithm makes a key for signatures alone.
    const listing = (await gpg('--list-keys', '--with-colons')).toString();
    const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(listing)?.[1] ?? '';
    await gpg('--quick-add-key', fingerprint, algorithm, 'encr', 'never');
  }
  // Beside the ring, which only its owner may enter.
  const folder = serverFolder('keys');
  const exported = async (name: string, ...args: readonly string[]): Promise<[string, string]> => {
    const text = (await gpg('--armor', ...args, user)).toString();
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    giveToServerUser(path);
    return [path, text];
  };
  const [publicKeyPath, publicKey] = await exported('public.asc', '--export');
  const [privateKeyPath, privateKey] = await exported('private.asc', '--export-secret-keys');
  return {
    user,
    passphrase,
    publicKeyPath,
    privateKeyPath,
    publicKey,
    privateKey,
    gpg,
    path: (name) => join(home, name),
    [Symbol.asyncDispose]: async () => {
      // Ends the agent that gpg started for this home, and no other.
      await run('gpgconf', ['--kill', 'all'], { env });
      rmSync(home, { recursive: true, force: true });
    },
  };
}
