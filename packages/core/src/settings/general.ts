import { absolutePath, choice, string } from './kinds.ts';
import { CONFIGURED_COMMANDS, setting } from './setting.ts';

/** What concerns every command. */
export const GENERAL_SETTINGS = {
  configFile: setting({
    env: ['TSBK_CONFIG', 'WALG_CONFIG_PATH'],
    kind: absolutePath,
    commands: CONFIGURED_COMMANDS,
    defaultText:
      'first of `~/.tsbk.json`, `~/.tsbk.yaml`, `~/.walg.json`, `~/.walg.yaml`, `~/.walg.yml`',
    doc: 'Settings file, JSON or YAML. It cannot be named by itself.',
  }),
  logLevel: setting({
    env: ['TSBK_LOG_LEVEL', 'WALG_LOG_LEVEL'],
    kind: choice(['error', 'warning', 'info', 'debug'], { NORMAL: 'info', DEVEL: 'debug' }),
    default: 'info',
    commands: CONFIGURED_COMMANDS,
    doc: 'What is worth a line on stderr. `NORMAL` and `DEVEL` are understood, too.',
  }),
  failpoint: setting({
    env: ['TSBK_FAILPOINT'],
    kind: string,
    commands: CONFIGURED_COMMANDS,
    doc: 'For tests only: `name:n:action` fails, hangs or kills at the n-th call of the store.',
  }),
};
