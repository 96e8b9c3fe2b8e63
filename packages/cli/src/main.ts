import { systemClock } from '@tsbk/core/engine/clock';
import { UNFINISHED } from '@tsbk/core/engine/command-process';
import { setNiceness } from '@tsbk/core/engine/niceness';
import { ignoredSignals, stopSignals } from '@tsbk/core/engine/stop-signals';
import { EXIT } from '@tsbk/core/kernel/exit';
import { errorText } from './frame/event-text.ts';
import { signalExit } from './frame/exit-code.ts';
import { leaveNow, leaveWith } from '@tsbk/core/engine/leave';
import { runCli } from './frame/run-cli.ts';

// A drained event loop ends Node.js with whatever stands here: that must never look like success.
process.exitCode = UNFINISHED;

// Nobody handles these, so they are bugs.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(errorText(error));
    leaveNow(EXIT.internal);
  });
}

let ended = false;
// Nothing is left that could end the run: somebody waits for what will never come.
process.once('beforeExit', () => {
  if (ended) return;
  process.stderr.write(errorText(new Error('the run came to a stop without an answer')));
});

// `tsbk backup-list | head -1` closes our output early, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') leaveNow(EXIT.ok);
  throw error;
});

const ignored = ignoredSignals(process.env['TSBK_IGNORED_SIGNALS']);
const stop = stopSignals(process, (name) => leaveNow(signalExit(name)), { ignored });
const exitCode = await runCli({
  args: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: () => process.stdin,
  cwd: process.cwd(),
  clock: systemClock,
  signal: stop.signal,
  stoppedBy: stop.stoppedBy,
  divert: stop.divert,
  setNiceness,
});
ended = true;
stop.dispose();
leaveWith(exitCode);
