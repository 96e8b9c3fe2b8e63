import { ARCHIVE_SETTINGS } from './archive.ts';
import { BACKUP_SETTINGS } from './backup.ts';
import { DELTA_SETTINGS } from './delta.ts';
import { ENCRYPTION_SETTINGS } from './encryption.ts';
import { GENERAL_SETTINGS } from './general.ts';
import { RECEIVE_SETTINGS } from './receive.ts';
import { RESTORE_SETTINGS } from './restore.ts';
import { S3_SETTINGS } from './s3.ts';
import type { Setting, SettingValue } from './setting.ts';
import { STORAGE_SETTINGS } from './storage.ts';

/** The settings by chapter, in the order in which documentation shows them. */
export const SETTING_GROUPS = {
  'Where the repository is': STORAGE_SETTINGS,
  S3: S3_SETTINGS,
  Encryption: ENCRYPTION_SETTINGS,
  Backups: BACKUP_SETTINGS,
  Deltas: DELTA_SETTINGS,
  Restores: RESTORE_SETTINGS,
  'The commands PostgreSQL starts': ARCHIVE_SETTINGS,
  'Receiving WAL': RECEIVE_SETTINGS,
  General: GENERAL_SETTINGS,
} as const;

/** Every setting there is: the one source of parsing, validation, help and documentation. */
export const SETTINGS = {
  ...STORAGE_SETTINGS,
  ...S3_SETTINGS,
  ...ENCRYPTION_SETTINGS,
  ...BACKUP_SETTINGS,
  ...DELTA_SETTINGS,
  ...RESTORE_SETTINGS,
  ...ARCHIVE_SETTINGS,
  ...RECEIVE_SETTINGS,
  ...GENERAL_SETTINGS,
};

export type SettingKey = keyof typeof SETTINGS;

/** The effective settings of one run, checked. Units are in the names: bytes, milliseconds. */
export type Config = { readonly [K in SettingKey]: SettingValue<(typeof SETTINGS)[K]> };

/** The table as plain pairs, for code that treats all settings alike. */
export const SETTING_LIST = Object.entries(SETTINGS) as readonly (readonly [SettingKey, Setting])[];

/** The name by which messages and documentation call a setting: `TSBK_X`. */
export function nameOf(setting: Setting): string {
  return setting.env[0];
}

/** The long option of a setting without the dashes: `TSBK_S3_PREFIX` gives `s3-prefix`. */
export function flagOf(setting: Setting): string {
  return toFlag(setting.env[0].slice('TSBK_'.length));
}

/** `WALG_S3_PREFIX` as WAL-G spells it on a command line: `walg-s3-prefix`. */
export function toFlag(envName: string): string {
  return envName.toLowerCase().replaceAll('_', '-');
}
