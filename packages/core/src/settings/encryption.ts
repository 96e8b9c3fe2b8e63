import { absolutePath, choice, string } from './kinds.ts';
import { CONFIGURED_COMMANDS, setting } from './setting.ts';

const commands = CONFIGURED_COMMANDS;

/** Encryption before anything leaves the machine, in WAL-G's libsodium format. */
export const ENCRYPTION_SETTINGS = {
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
};
