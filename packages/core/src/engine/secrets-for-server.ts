import type { LoadedSettings } from '../settings/load.ts';
import { Secret } from '../settings/secret.ts';
import { nameOf, SETTING_LIST } from '../settings/table.ts';

/**
 * The secrets that a server which this run starts needs in its environment, for its
 * `restore_command`: those that came by options or by the environment. Others are in the file, which
 * the command names.
 */
export function secretsForServer({
  config,
  origins,
}: LoadedSettings): Readonly<Record<string, string>> {
  const found: [string, string][] = [];
  for (const [key, setting] of SETTING_LIST) {
    const value: unknown = config[key];
    const isInFile = origins[key] === undefined || origins[key].source === 'file';
    if (isInFile || !(value instanceof Secret)) continue;
    if (!setting.commands.includes('archive-get')) continue;
    found.push([nameOf(setting), setting.kind.format(value.reveal())]);
  }
  return Object.fromEntries(found);
}
