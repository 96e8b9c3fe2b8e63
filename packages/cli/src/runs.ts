import type { CommandName, Run } from './command.ts';

/** How each command is run. Loaded only when it is asked for: a start pays for nothing else. */
export const RUNS: Readonly<Record<CommandName, () => Promise<Run>>> = {
  'backup-push': async () => (await import('./run/backup-push.ts')).runBackupPush,
  'backup-fetch': async () => (await import('./run/backup-fetch.ts')).runBackupFetch,
  'backup-list': async () => (await import('./run/backup-list.ts')).runBackupList,
  'backup-show': async () => (await import('./run/backup-show.ts')).runBackupShow,
  'archive-push': async () => (await import('./run/archive-push.ts')).runArchivePush,
  'archive-get': async () => (await import('./run/archive-get.ts')).runArchiveGet,
  check: async () => (await import('./run/check.ts')).runCheck,
  config: async () => (await import('./run/config.ts')).runConfig,
  help: async () => (await import('./run/help.ts')).runHelp,
  version: async () => (await import('./run/version.ts')).runVersion,
};
