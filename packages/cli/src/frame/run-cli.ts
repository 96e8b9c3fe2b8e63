import { resolveRunSettings } from '@tsbk/core/engine/load-run-settings';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT, exitCodeOf } from '@tsbk/core/kernel/exit';
import type { Clock } from '@tsbk/core/ports/clock';
import { parseArgv, type Argv } from '@tsbk/core/settings/argv';
import { requireSound, resolveSettings, type LoadedSettings } from '@tsbk/core/settings/load';
import type { CommandContext, CommandDeclaration } from '../command.ts';
import { commandHelp, usageLine } from '../help/command-help.ts';
import { RUNS } from '../runs.ts';
import { errorJson, errorText } from './error-text.ts';
import { findCommand, type FoundCommand } from './find-command.ts';
import { jsonReporter } from './json-report.ts';
import type { OutputStream } from './output.ts';
import { textReporter, type Reporter } from './text-report.ts';

/** Everything of the process that a run may use. */
export interface Surroundings {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly cwd: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Runs one command line and gives the exit code. Never throws: what goes wrong is printed. */
export async function runCli(around: Surroundings): Promise<number> {
  try {
    return await runCommand(findCommand(around.args), around);
  } catch (error) {
    const exitCode = exitCodeOf(error);
    around.stderr.write(wantsJson(around.args) ? errorJson(error, exitCode) : errorText(error));
    return exitCode;
  }
}

/** Asked for with the raw arguments, because they may be what cannot be understood. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).includes('--json');
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
  const reporter = chooseReporter(argv, settings, around);
  try {
    warn(argv, settings, reporter);
    const run = await load();
    return await run(contextOf({ found, argv, settings, problems, reporter, around }));
  } finally {
    reporter.end();
  }
}

function requirePositionals(command: CommandDeclaration, given: readonly string[]): void {
  const least = command.positionals.filter(({ optional }) => optional !== true).length;
  if (given.length >= least && given.length <= command.positionals.length) return;
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

function chooseReporter(argv: Argv, settings: LoadedSettings, around: Surroundings): Reporter {
  const { stderr: stream, clock } = around;
  if (argv.flags.on('json') === true) return jsonReporter({ stream, clock });
  return textReporter({ stream, clock, logLevel: settings.config.logLevel });
}

function warn(argv: Argv, settings: LoadedSettings, { report }: Reporter): void {
  for (const { code, text } of settings.warnings) report({ kind: 'warning', code, text });
  for (const { name, doc } of argv.ignored) {
    report({ kind: 'info', text: `--${name} changes nothing: ${doc}` });
  }
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
    errOut: lines(around.stderr, reporter),
    isTerminal: around.stdout.isTTY === true,
    clock: around.clock,
    cwd: around.cwd,
  };
}

/** Writes whole lines, below whatever the reporter has drawn. */
function lines(stream: OutputStream, reporter: Reporter): (text: string) => void {
  return (text) => {
    reporter.end();
    stream.write(text.endsWith('\n') ? text : `${text}\n`);
  };
}
