import { absolutePath, choice, string } from './kinds.ts';
import { CONFIGURED_COMMANDS, setting } from './setting.ts';

const commands = CONFIGURED_COMMANDS;

/** Encryption before anything leaves the machine, in WAL-G's formats: OpenPGP, libsodium. */
export const ENCRYPTION_SETTINGS = {
  pgpKey: setting({
    env: ['TSBK_PGP_KEY', 'WALG_PGP_KEY'],
    kind: string,
    secret: true,
    verbatim: true,
    commands,
    doc: 'Armored OpenPGP key that encrypts every object; `\\n` stands for a line end. The public key writes, only the private one reads. Wins over libsodium.',
  }),
  pgpKeyPath: setting({
    env: ['TSBK_PGP_KEY_PATH', 'WALG_PGP_KEY_PATH'],
    kind: absolutePath,
    commands,
    doc: 'File that holds the armored OpenPGP key; with a private key in it, readable by its owner alone.',
  }),
  pgpKeyPassphrase: setting({
    env: ['TSBK_PGP_KEY_PASSPHRASE', 'WALG_PGP_KEY_PASSPHRASE'],
    kind: string,
    secret: true,
    verbatim: true,
    commands,
    doc: 'Passphrase that unlocks the private OpenPGP key. Only reading needs it.',
  }),
  libsodiumKey: setting({
    env: ['TSBK_LIBSODIUM_KEY', 'WALG_LIBSODIUM_KEY'],
    kind: string,
    secret: true,
    verbatim: true,
    commands,
    doc: 'Key that encrypts every object. Wins over the key file. Lose it and the backups are lost.',
  }),
  libsodiumKeyPath: setting({
    env: ['TSBK_LIBSODIUM_KEY_PATH', 'WALG_LIBSODIUM_KEY_PATH'],
    kind: absolutePath,
    commands,
    doc: 'File that holds the key, readable by its owner alone.',
  }),
  libsodiumKeyTransform: setting({
    env: ['TSBK_LIBSODIUM_KEY_TRANSFORM', 'WALG_LIBSODIUM_KEY_TRANSFORM'],
    kind: choice(['none', 'hex', 'base64']),
    default: 'none',
    commands,
    doc: 'How the text of the key becomes 32 bytes. `none` takes the text itself, 25 bytes at least.',
  }),
  keyCommand: setting({
    env: ['TSBK_KEY_COMMAND'],
    kind: string,
    commands,
    doc: 'Shell command whose output is the key: an armored OpenPGP key, or the text of a libsodium key. Run once a process, for 30 seconds at most, instead of a key or key file.',
  }),
};
