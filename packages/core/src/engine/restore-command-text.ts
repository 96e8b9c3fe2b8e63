import { serverCommand } from '../format/shell-quote.ts';
import type { LoadedSettings } from '../settings/load.ts';
import { flagOf, nameOf, SETTING_LIST } from '../settings/table.ts';

export interface RestoreCommandText {
  /** As it goes into `restore_command`, with its placeholders. */
  readonly text: string;
  /** Names of secrets that a server must find in its own environment or settings file. */
  readonly secrets: readonly string[];
}

/**
 * The command by which a restored server fetches WAL from the repository it was restored from. What
 * this run was told by options or environment goes into it as options, so that it works under
 * another environment; secrets never do, and a settings file is named rather than copied.
 */
export function restoreCommandText(
  program: string,
  { config, origins }: LoadedSettings,
): RestoreCommandText {
  const words = [program, 'archive-get'];
  const secrets: string[] = [];
  if (config.configFile !== undefined) words.push('--config', config.configFile);
  for (const [key, setting] of SETTING_LIST) {
    const origin = origins[key];
    const inFile = origin === undefined || origin.source === 'file' || key === 'configFile';
    if (inFile || !setting.commands.includes('archive-get')) continue;
    if (setting.secret) secrets.push(nameOf(setting));
    else words.push(`--${flagOf(setting)}=${setting.kind.format(config[key])}`);
  }
  return { text: serverCommand(words, ['%f', '%p']), secrets };
}
