import { createHash } from 'node:crypto';
import * as openpgp from 'openpgp';
import { messageOf, TsbkError } from '../../kernel/errors.ts';
import type { SessionKey } from './protected-data.ts';

/** What the settings give: armored text, and what unlocks the private keys in it. */
export interface OpenpgpKeyText {
  readonly armored: string;
  readonly passphrase?: string | undefined;
}

/** The keys of one ring; public-key cryptography is the library's. */
export interface OpenpgpKeys {
  readonly keyId: string;
  /** `key-missing` if nothing can be read with these keys. */
  readonly unreadable: TsbkError | undefined;
  /** A new session key, and the packets that tell it to every key of the ring. */
  newSession(): Promise<{ readonly session: SessionKey; readonly packets: Uint8Array }>;
  /** The session key in such packets. Throws `wrong-key` if none of them is for these keys. */
  openSession(packets: Uint8Array): Promise<SessionKey>;
}

/** Reads an armored key ring. Throws `usage`; the message never shows anything of the keys. */
export async function readOpenpgpKeys({
  armored,
  passphrase,
}: OpenpgpKeyText): Promise<OpenpgpKeys> {
  const keys = await parse(armored);
  const privateKeys = keys.filter((key): key is openpgp.PrivateKey => key.isPrivate());
  let unlocked: Promise<openpgp.PrivateKey[]> | undefined;
  return {
    keyId: keyIdOf(keys),
    unreadable: whyUnreadable(privateKeys, passphrase),
    newSession: () => newSession(keys),
    openSession: async (packets) => {
      unlocked ??= Promise.all(privateKeys.map((key) => unlock(key, passphrase)));
      return await openSession(packets, await unlocked);
    },
  };
}

async function parse(armored: string): Promise<openpgp.Key[]> {
  try {
    const keys = await openpgp.readKeys({ armoredKeys: armored });
    if (keys.length > 0) return keys;
  } catch {
    // The library's message may quote what it could not read.
  }
  throw new TsbkError('usage', 'the OpenPGP key cannot be read', {
    hint: 'WALG_PGP_KEY must be armored text: gpg --armor --export <key>, or --export-secret-keys where backups are restored.',
  });
}

/** Names keys, the same for a public key and its private one; the order in the ring is no matter. */
function keyIdOf(keys: readonly openpgp.Key[]): string {
  const fingerprints = keys.map((key) => key.getFingerprint()).sort();
  const hash = createHash('sha256').update('tsbk openpgp key id 1\0').update(fingerprints.join());
  return hash.digest('hex').slice(0, 16);
}

function whyUnreadable(
  privateKeys: readonly openpgp.PrivateKey[],
  passphrase: string | undefined,
): TsbkError | undefined {
  if (privateKeys.length === 0) return keyMissing('only the public OpenPGP key is configured');
  if (passphrase !== undefined || privateKeys.some((key) => key.isDecrypted())) return undefined;
  return keyMissing('the private OpenPGP key is locked and no passphrase is configured');
}

function keyMissing(reason: string): TsbkError {
  return new TsbkError('key-missing', `what is encrypted cannot be read here: ${reason}`, {
    hint: 'Read where the private key is: WALG_PGP_KEY_PATH or WALG_PGP_KEY must name it, and WALG_PGP_KEY_PASSPHRASE unlock it if it is locked.',
  });
}

async function unlock(
  key: openpgp.PrivateKey,
  passphrase: string | undefined,
): Promise<openpgp.PrivateKey> {
  if (key.isDecrypted() || passphrase === undefined) return key;
  try {
    return await openpgp.decryptKey({ privateKey: key, passphrase });
  } catch (error) {
    throw new TsbkError('wrong-key', 'the passphrase does not unlock the private OpenPGP key', {
      hint: 'Check WALG_PGP_KEY_PASSPHRASE.',
      cause: error,
    });
  }
}

async function newSession(keys: openpgp.Key[]) {
  const encryptionKeys = keys.map((key) => key.toPublic());
  const config = { aeadProtect: false };
  try {
    const { algorithm, data } = await openpgp.generateSessionKey({ encryptionKeys, config });
    const packets = await openpgp.encryptSessionKey({
      algorithm,
      data,
      encryptionKeys,
      format: 'binary',
      config,
    });
    return { session: { algorithm, key: data }, packets };
  } catch (error) {
    throw new TsbkError('usage', `the OpenPGP key cannot encrypt: ${messageOf(error)}`, {
      hint: 'It may have expired or been revoked, or be for signatures only: gpg --list-keys shows it.',
      cause: error,
    });
  }
}

async function openSession(
  packets: Uint8Array,
  decryptionKeys: openpgp.PrivateKey[],
): Promise<SessionKey> {
  try {
    const message = await openpgp.readMessage({ binaryMessage: packets });
    const [first] = await openpgp.decryptSessionKeys({ message, decryptionKeys });
    if (typeof first?.algorithm === 'string')
      return { algorithm: first.algorithm, key: first.data };
  } catch {
    // It does not say by a code which of the packets was not for which key.
  }
  throw new TsbkError('wrong-key', 'the data does not open with the configured OpenPGP key', {
    hint: 'It was encrypted for another key: gpg --list-packets shows for which. Check WALG_PGP_KEY.',
  });
}
