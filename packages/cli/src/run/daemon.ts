import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import type { CommandContext, Run } from '../command.ts';
import { runService } from '../daemon/service.ts';

/** `tsbk daemon [SOCKET]` */
export const runDaemon: Run = async (context) => {
  const { settings, signal, report, clock, environment, cwd } = context;
  const [socket] = context.positionals;
  await runService({
    dataDir: await requireDataDir(context),
    socket: socket === undefined ? undefined : resolve(cwd, socket),
    cwd,
    settings,
    environment,
    reloadSettings: context.reloadSettings,
    onHangup: context.onHangup,
    signal,
    report,
    clock,
  });
  return EXIT.ok;
};

async function requireDataDir({ environment, cwd }: CommandContext): Promise<string> {
  const given = environment['PGDATA'];
  if (given === undefined || given === '') {
    throw new TsbkError('setting-missing', 'the daemon is not told whose WAL it is to archive', {
      hint: 'Set PGDATA to the data directory: in the environment, in the settings file, or as --pgdata.',
    });
  }
  const dataDir = resolve(cwd, given);
  const found = await stat(resolve(dataDir, 'pg_wal')).catch(() => undefined);
  if (found?.isDirectory() === true) return dataDir;
  throw new TsbkError('usage', `${dataDir} is no data directory: there is no pg_wal in it`, {
    hint: 'PGDATA must name the data directory of the server, which may be stopped.',
  });
}
