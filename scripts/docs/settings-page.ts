import { defaultText } from '@tsbk/core/settings/default-text';
import { CONNECTION_VARIABLES } from '@tsbk/core/settings/passed-on';
import { CONFIGURED_COMMANDS, type Setting } from '@tsbk/core/settings/setting';
import { flagOf, nameOf, SETTING_GROUPS } from '@tsbk/core/settings/table';
import { FOREIGN_PREFIXES, IGNORED_NAMES, UNSUPPORTED_NAMES } from '@tsbk/core/settings/walg-names';
import { code, page, table } from './markdown.ts';

/** docs/settings.md */
export function settingsPage(): string {
  const groups = Object.entries(SETTING_GROUPS).flatMap(([title, settings]) => [
    `## ${title}`,
    ...Object.values(settings as Readonly<Record<string, Setting>>).map(settingText),
  ]);
  return page('packages/core/src/settings/table.ts', [
    '# Settings',
    INTRODUCTION,
    FILE,
    ...groups,
    '## Connection to PostgreSQL',
    'The variables of libpq mean what they mean there. They may stand in the settings file, too.',
    table(
      ['variable', 'meaning'],
      Object.entries(CONNECTION_VARIABLES).map(([name, doc]) => [code(name), doc]),
    ),
    '## Settings of WAL-G that stop tsbk',
    'Going on as if these were not there would be wrong, so they are the error `unsupported-setting`.',
    table(['setting', 'why'], unsupported()),
    '## Settings of WAL-G that change nothing',
    'They are accepted, and `tsbk config` says so. The result is right without them.',
    table(
      ['setting', 'why'],
      [...IGNORED_NAMES].map(([name, reason]) => [code(name), reason]),
    ),
  ]);
}

const INTRODUCTION = `A setting can be given as a command-line option, as an environment variable or in a settings file; an
option wins over the environment, that over the file, that over the default. Where a setting has
several names, the first one listed wins over the others of the same place. An empty variable counts
as unset. \`tsbk config\` shows the effective value of each and where it came from.

The settings of WAL-G are understood as they are, also as its hidden options (\`--walg-s3-prefix\`). An
unknown \`TSBK_\` name, option or key of the settings file is an error that names the nearest one; an
unknown \`WALG_\` name is a warning.

Sizes are bytes, or have a unit (\`16MiB\`, \`1g\`; units are powers of 1024). Durations are written as in
Go: \`30s\`, \`15m\`, \`1h30m\`. Besides these settings, \`TSBK_NODE\` names the Node.js program to run with.`;

const FILE = `## The settings file

\`--config\`, else \`TSBK_CONFIG\`, else \`WALG_CONFIG_PATH\` names it (an absolute path), else it is the first
there is of \`~/.tsbk.json\`, \`~/.tsbk.yaml\`, \`~/.walg.json\`, \`~/.walg.yaml\`, \`~/.walg.yml\`. Nothing is looked for
in the current directory. Keys are the names below in any case, or the options without their dashes:

\`\`\`yaml
WALG_S3_PREFIX: s3://backups/main
AWS_REGION: eu-central-1
compression-method: zstd
PGHOST: /var/run/postgresql
\`\`\`

A file that its group or everybody may write is refused, and so is one that belongs to another user than
root or the one who runs tsbk. One that holds secrets and that others may read is warned about.`;

function settingText(setting: Setting): string {
  const [, ...others] = setting.env;
  const value = defaultText(setting);
  const facts = [
    `${code(nameOf(setting))} · ${code(`--${flagOf(setting)}`)}`,
    ...(others.length === 0 ? [] : [`also ${others.map(code).join(', ')}`]),
    `${setting.kind.name}${value === undefined ? '' : `, default ${inCode(value)}`}`,
    ...(setting.secret ? ['secret'] : []),
    usedBy(setting),
  ];
  return `### ${nameOf(setting)}\n\n${setting.doc}\n\n${facts.map((fact) => `- ${fact}`).join('\n')}`;
}

/** A default that is explained in words has its own marks for code. */
function inCode(text: string): string {
  return /[\s`]/.test(text) ? text : code(text);
}

function usedBy({ commands }: Setting): string {
  if (commands.length === CONFIGURED_COMMANDS.length) return 'used by every command';
  return `used by ${commands.join(', ')}`;
}

function unsupported(): readonly (readonly string[])[] {
  const stores = FOREIGN_PREFIXES.map((store) => [
    code(`WALG_${store}_PREFIX`),
    'tsbk has no adapter for this store (no error if WAL-G would not use it either)',
  ]);
  return [
    ...[...UNSUPPORTED_NAMES].map(([name, { reason }]) => [code(name), reason]),
    [code('WALG_COMPRESSION_METHOD=lzma'), 'lzma can only be read; commands that write stop'],
    ...stores,
  ];
}
