import { resolveRunSettings } from '@tsbk/core/engine/load-run-settings';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import type { Clock } from '@tsbk/core/ports/clock';
import { parseArgv, type Argv } from '@tsbk/core/settings/argv';
import { requireSound, resolveSettings, type LoadedSettings } from '@tsbk/core/settings/load';
import type { CommandContext, CommandDeclaration } from '../command.ts';
import { commandHelp, usageLine } from '../help/command-help.ts';
import { RUNS } from '../runs.ts';
import { exitCodeFor } from './exit-code.ts';
import { findCommand, type FoundCommand } from './find-command.ts';
import type { OutputStream } from './output.ts';
import { presentationOf, type Presentation } from './presentation.ts';
import { createReporter, type Reporter } from './reporter.ts';

/** Everything of the process that a run may use. */
export interface Surroundings {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: () => ByteSource;
  readonly cwd: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The signal of the system that asked to stop, if one did. */
  readonly stoppedBy: () => NodeJS.Signals | undefined;
  /** From now on a signal does something else than stopping the run. */
  readonly divert: (name: NodeJS.Signals, listener: () => void) => void;
  /** Sets the CPU priority of the process; gives what kept it from that, if anything did. */
  readonly setNiceness: (niceness: number) => string | undefined;
}

/** Runs one command line and gives the exit code. Never throws: what goes wrong is printed. */
export async function runCli(around: Surroundings): Promise<number> {
  try {
    return await runCommand(findCommand(around.args), around);
  } catch (error) {
    // The settings may be what cannot be understood, so the raw arguments tell how to say it.
    using reporter = reporterFor(
      { log: askedForJson(around) ? 'json' : 'text', logLevel: 'info', progress: 'none' },
      around,
    );
    return failed(error, reporter, around);
  }
}

function failed(error: unknown, reporter: Reporter, around: Surroundings): number {
  const exitCode = exitCodeFor(error, around.stoppedBy());
  reporter.fail(error, exitCode);
  return exitCode;
}

function askedForJson({ args, env }: Surroundings): boolean {
  const end = args.indexOf('--');
  const options = args.slice(0, end === -1 ? undefined : end);
  const log = options[options.indexOf('--log') + 1];
  return (
    options.includes('--json') ||
    options.includes('--log=json') ||
    (options.includes('--log') && log === 'json') ||
    env['TSBK_LOG'] === 'json'
  );
}

async function runCommand(found: FoundCommand, around: Surroundings): Promise<number> {
  const { command } = found;
  const argv = parseArgv(found.rest, command.flags);
  if (argv.help) {
    around.stdout.write(commandHelp(command));
    return EXIT.ok;
  }
  requirePositionals(command, argv.positionals);
  const load = RUNS[command.name];
  if (load === undefined) {
    throw new TsbkError('usage', `${command.name} is not part of this build of tsbk`);
  }
  const { settings, problems } = await settingsFor(command, argv, around);
  using reporter = reporterFor(presentation(argv, settings, around), around);
  try {
    warn(argv, settings, reporter);
    yieldCpu(settings, reporter, around);
    const run = await load();
    return await run(contextOf({ found, argv, settings, problems, reporter, around }));
  } catch (error) {
    return failed(error, reporter, around);
  }
}

function requirePositionals(command: CommandDeclaration, given: readonly string[]): void {
  const least = command.positionals.filter(({ optional }) => optional !== true).length;
  const endless = command.positionals.at(-1)?.repeatable === true;
  const most = endless ? Number.POSITIVE_INFINITY : command.positionals.length;
  if (given.length >= least && given.length <= most) return;
  const missing = command.positionals[given.length];
  throw new TsbkError(
    'usage',
    missing !== undefined && given.length < least
      ? `${command.name} needs ${missing.name}`
      : `${command.name} takes ${command.positionals.length} arguments at most, not ${given.length}`,
    { hint: `Usage: ${usageLine(command)}` },
  );
}

interface CommandSettings {
  readonly settings: LoadedSettings;
  readonly problems: CommandContext['problems'];
}

async function settingsFor(
  { settings: reads }: CommandDeclaration,
  { settings: flags }: Argv,
  { env }: Surroundings,
): Promise<CommandSettings> {
  if (reads === 'none') return resolveSettings({ env: {}, flags: {}, machine: { cores: 1 } });
  const command = reads === 'any' ? undefined : reads;
  const resolved = await resolveRunSettings({ env, flags, command });
  if (reads !== 'any') requireSound(resolved.problems);
  return resolved;
}

function presentation(argv: Argv, settings: LoadedSettings, around: Surroundings): Presentation {
  return presentationOf(settings.config, {
    json: argv.flags.on('json') === true,
    isTerminal: around.stderr.isTTY === true,
    terminal: around.env['TERM'],
  });
}

function reporterFor(shown: Presentation, { stderr, clock }: Surroundings): Reporter {
  return createReporter({ ...shown, stream: stderr, clock, every });
}

/** A timer that does not keep the process alive. */
function every(ms: number, tick: () => void): () => void {
  const timer = setInterval(tick, ms).unref();
  return () => clearInterval(timer);
}

function warn(argv: Argv, settings: LoadedSettings, { report }: Reporter): void {
  for (const { code, text } of settings.warnings) report({ kind: 'warning', code, text });
  for (const { name, doc } of argv.ignored) {
    report({ kind: 'info', text: `--${name} changes nothing: ${doc}` });
  }
}

function yieldCpu(settings: LoadedSettings, { report }: Reporter, around: Surroundings): void {
  const { niceness } = settings.config;
  const problem = niceness === undefined ? undefined : around.setNiceness(niceness);
  if (problem === undefined) return;
  report({ kind: 'warning', code: 'niceness', text: `cannot set the niceness: ${problem}` });
}

function contextOf(parts: {
  readonly found: FoundCommand;
  readonly argv: Argv;
  readonly settings: LoadedSettings;
  readonly problems: CommandContext['problems'];
  readonly reporter: Reporter;
  readonly around: Surroundings;
}): CommandContext {
  const { found, argv, settings, problems, reporter, around } = parts;
  return {
    invokedAs: found.invokedAs,
    config: settings.config,
    settings,
    problems,
    environment: { ...around.env, ...settings.environment },
    positionals: argv.positionals,
    flags: argv.flags,
    signal: around.signal,
    report: reporter.report,
    out: lines(around.stdout, reporter),
    outBytes: (bytes) => writeBytes(around.stdout, bytes, reporter),
    stdin: around.stdin,
    errOut: lines(around.stderr, reporter),
    isTerminal: around.stdout.isTTY === true,
    clock: around.clock,
    reloadSettings: async () => (await settingsFor(found.command, argv, around)).settings,
    onHangup: (listener) => around.divert('SIGHUP', listener),
    cwd: around.cwd,
  };
}

/** Writes whole lines, below whatever the reporter has drawn. */
function lines(stream: OutputStream, reporter: Reporter): (text: string) => void {
  return (text) => {
    reporter.clear();
    stream.write(text.endsWith('\n') ? text : `${text}\n`);
  };
}

function writeBytes(stream: OutputStream, bytes: Uint8Array, reporter: Reporter): Promise<void> {
  reporter.clear();
  return new Promise((resolve) => stream.write(bytes, resolve));
}
