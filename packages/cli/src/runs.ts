import type { CommandName, Run } from './command.ts';

/** How each command is run. Loaded only when it is asked for: a start pays for nothing else. */
export const RUNS: Readonly<Record<CommandName, () => Promise<Run>>> = {
  'backup-push': async () => (await import('./run/backup-push.ts')).runBackupPush,
  'backup-fetch': async () => (await import('./run/backup-fetch.ts')).runBackupFetch,
  'backup-merge': async () => (await import('./run/backup-merge.ts')).runBackupMerge,
  'backup-list': async () => (await import('./run/backup-list.ts')).runBackupList,
  'backup-show': async () => (await import('./run/backup-show.ts')).runBackupShow,
  extract: async () => (await import('./run/extract.ts')).runExtract,
  'archive-push': async () => (await import('./run/archive-push.ts')).runArchivePush,
  'archive-get': async () => (await import('./run/archive-get.ts')).runArchiveGet,
  'wal-receive': async () => (await import('./run/wal-receive.ts')).runWalReceive,
  'wal-show': async () => (await import('./run/wal-show.ts')).runWalShow,
  'wal-verify': async () => (await import('./run/wal-verify.ts')).runWalVerify,
  daemon: async () => (await import('./run/daemon.ts')).runDaemon,
  'st ls': async () => (await import('./run/st/st-ls.ts')).runStLs,
  'st get': async () => (await import('./run/st/st-get.ts')).runStGet,
  'st cat': async () => (await import('./run/st/st-get.ts')).runStCat,
  'st put': async () => (await import('./run/st/st-put.ts')).runStPut,
  'st rm': async () => (await import('./run/st/st-rm.ts')).runStRm,
  'st check': async () => (await import('./run/st/st-check.ts')).runStCheck,
  'st uploads': async () => (await import('./run/st/st-uploads.ts')).runStUploads,
  'st claims': async () => (await import('./run/st/st-claims.ts')).runStClaims,
  check: async () => (await import('./run/check.ts')).runCheck,
  config: async () => (await import('./run/config.ts')).runConfig,
  help: async () => (await import('./run/help.ts')).runHelp,
  version: async () => (await import('./run/version.ts')).runVersion,
};
