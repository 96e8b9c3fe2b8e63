import { EXIT, exitCodeOf } from '@tsbk/core/kernel/exit';
import { commandProcess, UNFINISHED } from '@tsbk/core/engine/command-process';
import { describeError } from '@tsbk/core/engine/describe-error';
import { leaveLauncher } from '@tsbk/core/engine/leave';
import { loadRunSettings } from '@tsbk/core/engine/load-run-settings';
import { parseArgv } from '@tsbk/core/settings/argv';
import { askedAs } from '@tsbk/core/engine/asked-as';
import { runArchivePush } from './run.ts';

process.exitCode = UNFINISHED;

const HELP = `tsbk-archive-push PATH

Stores one WAL file in the repository. For postgresql.conf:

  archive_command = 'tsbk-archive-push %p'

Exit codes: 0 the file is durable in the repository (or was before, with the same content);
65 the repository holds other content under this name; 75 try again; 1, 2, 70 see docs/errors.md.
Settings come from the environment and the settings file: see docs/settings.md.
`;

const log = (line: string): void => {
  process.stderr.write(`tsbk-archive-push: ${line}\n`);
};

async function main(): Promise<number> {
  using command = commandProcess(EXIT.temporary);
  try {
    const argv = parseArgv(process.argv.slice(2), []);
    if (argv.help) {
      process.stdout.write(HELP);
      return EXIT.ok;
    }
    const settings = await loadRunSettings({
      env: process.env,
      flags: argv.settings,
      command: 'archive-push',
    });
    for (const { text } of settings.warnings) log(`warning: ${text}`);
    return await runArchivePush({
      paths: argv.positionals,
      settings,
      asked: await askedAs({
        args: process.argv.slice(2),
        env: process.env,
        settingsFile: settings.config.configFile,
        startedMs: performance.timeOrigin,
      }),
      log,
      signal: command.signal,
    });
  } catch (error) {
    for (const line of describeError(error)) log(line);
    return exitCodeOf(error);
  }
}

leaveLauncher(await main(), EXIT.temporary);
