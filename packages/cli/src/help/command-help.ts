import { CONFIGURED_COMMANDS, type ConfiguredCommand } from '@tsbk/core/settings/setting';
import type { FlagSpec } from '@tsbk/core/settings/argv';
import { defaultText } from '@tsbk/core/settings/default-text';
import { flagOf, nameOf, SETTING_LIST } from '@tsbk/core/settings/table';
import type { CommandDeclaration, Positional } from '../command.ts';
import { definitions, paragraph } from './layout.ts';

/** What `tsbk NAME --help` prints. */
export function commandHelp(command: CommandDeclaration): string {
  const sections = [
    `tsbk ${command.name} - ${command.summary}`,
    `Usage: ${usageLine(command)}${aliasNote(command)}`,
    ...command.description.map((text) => paragraph(text)),
    section(
      'Arguments',
      command.positionals.map(({ name, doc }) => [name, doc] as const),
    ),
    section('Options', [...shownFlags(command).map(flagEntry), ['-h, --help', 'Print this.']]),
    settingsSection(command),
    section(
      'Exit codes',
      Object.entries(command.exits ?? {}).map(([code, meaning]) => [code, meaning] as const),
    ),
    examples(command),
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

/** `tsbk backup-fetch DEST NAME [options]` */
export function usageLine({ name, positionals, flags }: CommandDeclaration): string {
  const places = positionals.map(placeOf);
  return ['tsbk', name, ...places, ...(flags.length > 0 ? ['[options]'] : [])].join(' ');
}

/** `PGDATA`, `[COMMAND]`, `[OBJECT …]` */
export function placeOf({ name, optional, repeatable }: Positional): string {
  const text = repeatable === true ? `${name} …` : name;
  return optional === true ? `[${text}]` : text;
}

/** The options that help shows: those of WAL-G's that change nothing are not among them. */
export function shownFlags({ flags }: CommandDeclaration): readonly FlagSpec[] {
  return flags.filter(({ walg }) => walg === undefined);
}

/** `-l, --label TEXT` */
export function flagTerm({ name, short, value }: FlagSpec): string {
  const letter = short === undefined ? '' : `-${short}, `;
  return `${letter}--${name}${value === undefined ? '' : ` ${value}`}`;
}

function flagEntry(flag: FlagSpec): readonly [string, string] {
  return [flagTerm(flag), flag.doc];
}

function aliasNote({ aliases }: CommandDeclaration): string {
  return aliases.length === 0 ? '' : `\nAlso:  ${aliases.map((name) => `tsbk ${name}`).join(', ')}`;
}

function section(title: string, entries: readonly (readonly [string, string])[]): string {
  return entries.length === 0 ? '' : `${title}:\n${definitions(entries)}`;
}

/** Settings of this command that not all commands have; the others fill pages of their own. */
function settingsSection({ settings }: CommandDeclaration): string {
  if (settings === 'none' || settings === 'any') return '';
  const own = ownSettings(settings).map(([, setting]) => {
    const value = defaultText(setting);
    const note = value === undefined ? '' : ` Default: ${value}.`;
    return [`--${flagOf(setting)}`, `${setting.doc}${note} (${nameOf(setting)})`] as const;
  });
  const common = paragraph(
    'Settings can stand in the environment or in a settings file instead, under the name in ' +
      'parentheses. `tsbk config --all` explains them all: where the repository is, S3, ' +
      'encryption …; the names of WAL-G work, too.',
    2,
  );
  return own.length === 0 ? `Settings:\n${common}` : `Settings:\n${definitions(own)}\n\n${common}`;
}

function ownSettings(command: ConfiguredCommand): typeof SETTING_LIST {
  return SETTING_LIST.filter(
    ([key, { commands }]) =>
      !key.startsWith('s3') &&
      commands.includes(command) &&
      commands.length < CONFIGURED_COMMANDS.length - 1,
  );
}

function examples(command: CommandDeclaration): string {
  const lines = command.examples.map(({ purpose, line }) => `  # ${purpose}\n  ${line}`);
  return lines.length === 0 ? '' : `Examples:\n${lines.join('\n\n')}`;
}
