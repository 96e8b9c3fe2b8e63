import { absolutePath, choice, integer, string } from './kinds.ts';
import { CONFIGURED_COMMANDS, setting } from './setting.ts';

/** Those that a person or a script looks at; what PostgreSQL starts writes to the server's log. */
const SHOWN_COMMANDS = CONFIGURED_COMMANDS.filter(
  (name) => name !== 'archive-push' && name !== 'archive-get',
);

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
  log: setting({
    env: ['TSBK_LOG'],
    kind: choice(['text', 'json']),
    commands: SHOWN_COMMANDS,
    defaultText: '`json` with `--json`, else `text`',
    doc: 'Form of the messages on stderr: lines for people, or one JSON object a line.',
  }),
  progress: setting({
    env: ['TSBK_PROGRESS'],
    kind: choice(['bar', 'plain', 'json', 'none']),
    commands: SHOWN_COMMANDS,
    defaultText: '`json` where messages are JSON, `bar` on a terminal, else `plain`',
    doc: 'How progress is shown on stderr: a bar, a line every 30 s, a JSON object every second.',
  }),
  niceness: setting({
    env: ['TSBK_NICENESS'],
    kind: integer(0, 19),
    commands: ['backup-push', 'backup-fetch', 'backup-merge', 'extract'],
    doc: 'CPU priority of all threads of the run, as of nice(1): 19 is the lowest. Unset: as it was started.',
  }),
  failpoint: setting({
    env: ['TSBK_FAILPOINT'],
    kind: string,
    commands: CONFIGURED_COMMANDS,
    doc: 'For tests only: `name:n:action` fails, hangs or kills at the n-th call of the store.',
  }),
};
