import type { CommandDeclaration } from '../command.ts';
import { placeOf } from './command-help.ts';
import { definitions, paragraph } from './layout.ts';

/** What `tsbk` and `tsbk help` print: every command with its summary. */
export function overview(commands: readonly CommandDeclaration[]): string {
  const groups = [...new Set(commands.map(({ group }) => group))].map((group) => {
    const members = commands.filter((command) => command.group === group);
    return `${group}:\n${definitions(members.map(entry), { termColumns: 40 })}`;
  });
  const sections = [
    'tsbk - base backups and WAL archiving for PostgreSQL, in repositories of WAL-G',
    'Usage: tsbk COMMAND [arguments] [options]',
    ...groups,
    paragraph(
      'Where the repository is must be set: TSBK_S3_PREFIX=s3://bucket/folder or ' +
        'TSBK_FILE_PREFIX=/directory, in the environment, in a settings file (~/.tsbk.yaml, or named ' +
        'by --config) or as an option (--s3-prefix, --file-prefix). The settings of WAL-G are ' +
        'understood as they are.',
    ),
    'tsbk COMMAND --help explains a command. tsbk --version prints the version.',
  ];
  return `${sections.join('\n\n')}\n`;
}

function entry({
  name,
  aliases,
  positionals,
  summary,
}: CommandDeclaration): readonly [string, string] {
  const places = positionals.map(placeOf);
  const also = aliases.length === 0 ? '' : ` (also ${aliases.join(', ')})`;
  return [[name, ...places].join(' '), `${summary}${also}`];
}
