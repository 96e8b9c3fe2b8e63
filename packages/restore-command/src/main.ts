import { commandProcess, UNFINISHED } from '@tsbk/core/engine/command-process';
import { describeError } from '@tsbk/core/engine/describe-error';
import { leaveLauncher, leaveNow, leaveWith } from '@tsbk/core/engine/leave';
import { loadRunSettings } from '@tsbk/core/engine/load-run-settings';
import { parseArgv } from '@tsbk/core/settings/argv';
import { stopSignals } from '@tsbk/core/engine/stop-signals';
import { runPrefetcher } from './prefetcher.ts';
import { cannotKnowExit, runArchiveGet } from './run.ts';
import { FETCH_AHEAD, startPrefetcher } from './start-prefetcher.ts';

process.exitCode = UNFINISHED;

const HELP = `tsbk-archive-get NAME DESTINATION

Fetches one WAL file from the repository, whole and verified. For postgresql.conf:

  restore_command = 'tsbk-archive-get %f %p'

Exit codes: 0 the file is in place; 1 it is proven that the repository does not have it; 200 that
cannot be known now, recovery must not go on (75 instead when standby.signal exists).
Settings come from the environment and the settings file: see docs/settings.md.
`;

const log = (line: string): void => {
  process.stderr.write(`tsbk-archive-get: ${line}\n`);
};

async function main(): Promise<number> {
  const dataDir = process.cwd();
  const unknown = cannotKnowExit(dataDir);
  using command = commandProcess(unknown);
  try {
    const argv = parseArgv(process.argv.slice(2), []);
    if (argv.help) {
      process.stdout.write(HELP);
      return unknown;
    }
    const settings = await loadRunSettings({
      env: process.env,
      flags: argv.settings,
      command: 'archive-get',
    });
    for (const { text } of settings.warnings) log(`warning: ${text}`);
    return await runArchiveGet({
      positionals: argv.positionals,
      settings,
      dataDir,
      log,
      signal: command.signal,
      askedAs: { text: process.env['TSBK_ASKED_AS'] ?? '', beganMs: performance.timeOrigin },
      startPrefetcher,
    });
  } catch (error) {
    for (const line of describeError(error)) log(line);
    return unknown;
  }
}

/** The process that a call left behind to fetch ahead: nobody waits for it or reads what it says. */
async function fetchAhead(): Promise<number> {
  const stop = stopSignals(process, () => leaveNow(0));
  try {
    const argv = parseArgv(process.argv.slice(2), []);
    const settings = await loadRunSettings({
      env: process.env,
      flags: argv.settings,
      command: 'archive-get',
    });
    await runPrefetcher({ settings, dataDir: process.cwd(), signal: stop.signal });
  } catch {
    // What is wrong, the calls that PostgreSQL makes find out and say.
  }
  stop.dispose();
  return 0;
}

if (process.env[FETCH_AHEAD] === undefined) {
  leaveLauncher(await main(), cannotKnowExit(process.cwd()));
} else {
  leaveWith(await fetchAhead());
}
