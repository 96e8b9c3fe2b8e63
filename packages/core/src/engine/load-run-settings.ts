import { availableParallelism, userInfo } from 'node:os';
import type { TsbkError } from '../kernel/errors.ts';
import { requireSound, resolveSettings, type LoadedSettings } from '../settings/load.ts';
import { readSettingsFile } from '../settings/read-file.ts';
import type { ConfiguredCommand } from '../settings/setting.ts';

export interface RunSettingsRequest {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Options that set settings, as `parseArgv` gives them. */
  readonly flags: Readonly<Record<string, string>>;
  /** `undefined` for a command that shows settings: then every one of them must be right. */
  readonly command?: ConfiguredCommand | undefined;
}

/**
 * The effective settings of one run on this machine: options, environment, settings file. Throws
 * `usage` and `unsupported-setting`.
 */
export async function loadRunSettings(request: RunSettingsRequest): Promise<LoadedSettings> {
  const { settings, problems } = await resolveRunSettings(request);
  requireSound(problems);
  return settings;
}

/** The same for showing: throws only when the settings file cannot be used at all. */
export async function resolveRunSettings({ env, flags, command }: RunSettingsRequest): Promise<{
  readonly settings: LoadedSettings;
  readonly problems: readonly TsbkError[];
}> {
  const file = await readSettingsFile({
    flag: flags['config'] ?? flags['tsbk-config'] ?? flags['walg-config-path'],
    env,
    home: homeOf(env),
    uid: process.getuid?.(),
  });
  const machine = { cores: availableParallelism() };
  return resolveSettings({ env, flags, file, command, machine });
}

/** The home directory that the environment names, else the one of the password database. */
function homeOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const named = env['HOME'];
  if (named !== undefined && named !== '') return named;
  try {
    return userInfo().homedir;
  } catch {
    // A user id without an entry, as containers have them.
    return undefined;
  }
}
