import { hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { ENCRYPTION_SETTINGS } from '../settings/encryption.ts';
import { Secret } from '../settings/secret.ts';
import type { Config, SettingKey } from '../settings/table.ts';

/** Says which archive a repository is; how it is reached and written to may differ. */
const LOCATION: readonly SettingKey[] = ['filePrefix', 's3Prefix', 's3Endpoint', 'storagePrefix'];

/**
 * What a command and a daemon compare to know that both mean the same archive and the same keys: a
 * daemon that was started with other settings must not answer for this command. It reveals neither,
 * and never leaves the machine.
 */
export function placeMark(config: Config): string {
  const keys = [...LOCATION, ...(Object.keys(ENCRYPTION_SETTINGS) as SettingKey[])];
  const values = keys.map((key) => {
    const value: unknown = config[key];
    return [key, value instanceof Secret ? value.reveal() : (value ?? null)];
  });
  return hash('sha256', `tsbk daemon, place, 1\n${JSON.stringify(values)}`);
}

/**
 * Names a directory whatever path leads to it: a container may have it elsewhere. `undefined` if it
 * is not there.
 */
export async function directoryMark(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
