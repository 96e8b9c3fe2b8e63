import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

/** `tsbk config` */
export const config: CommandDeclaration = {
  name: 'config',
  aliases: [],
  group: 'Looking after it',
  summary: 'show the effective settings and where each comes from',
  description: [
    'Shows every setting that has a value, what it was read from (option, environment, file or ' +
      'default), what was accepted and changes nothing, and what is wrong. Secrets are shown as ***.',
    'An option wins over the environment, that over the settings file, that over the default.',
  ],
  positionals: [],
  flags: [
    { name: 'all', doc: 'Show settings that are not set, too, and explain each.' },
    JSON_FLAG,
  ],
  settings: 'any',
  exits: { 0: 'The settings are sound.', 2: 'At least one is wrong.' },
  examples: [
    { purpose: 'What counts, and why', line: 'tsbk config' },
    { purpose: 'Try a settings file', line: 'tsbk config --config /etc/tsbk.yaml' },
  ],
};
