import { TsbkError } from '@tsbk/core/kernel/errors';
import { nearest } from '@tsbk/core/settings/nearest';
import type { CommandDeclaration } from './command.ts';
import { archiveGet } from './commands/archive-get.ts';
import { archivePush } from './commands/archive-push.ts';
import { backupFetch } from './commands/backup-fetch.ts';
import { backupList } from './commands/backup-list.ts';
import { backupMerge } from './commands/backup-merge.ts';
import { backupPush } from './commands/backup-push.ts';
import { backupShow } from './commands/backup-show.ts';
import { check } from './commands/check.ts';
import { config } from './commands/config.ts';
import { daemon } from './commands/daemon.ts';
import { extract } from './commands/extract.ts';
import { help } from './commands/help.ts';
import { ST_COMMANDS } from './commands/st.ts';
import { version } from './commands/version.ts';
import { walReceive } from './commands/wal-receive.ts';
import { walShow } from './commands/wal-show.ts';
import { walVerify } from './commands/wal-verify.ts';

/** The command table: the one source of parsing, help and documentation. */
export const COMMANDS: readonly CommandDeclaration[] = [
  backupPush,
  backupFetch,
  backupMerge,
  backupList,
  backupShow,
  extract,
  archivePush,
  archiveGet,
  walReceive,
  walShow,
  walVerify,
  daemon,
  ...ST_COMMANDS,
  check,
  config,
  help,
  version,
];

/** Words that stand before the name of a command of their own: `st` of `st ls`. */
export const COMMAND_GROUPS: ReadonlySet<string> = new Set(
  COMMANDS.flatMap(({ name }) => name.split(' ').slice(0, -1)),
);

/** The command of this name or alias. Throws `usage`, with the nearest one, if there is none. */
export function requireCommand(name: string): CommandDeclaration {
  const command = COMMANDS.find((one) => one.name === name || one.aliases.includes(name));
  if (command !== undefined) return command;
  const suggestion = nearest(
    name,
    COMMANDS.flatMap((one) => [one.name, ...one.aliases]),
  );
  throw new TsbkError('usage', `${JSON.stringify(name)} is no command of tsbk`, {
    hint:
      suggestion === undefined ? '`tsbk help` lists the commands.' : `Did you mean ${suggestion}?`,
  });
}
