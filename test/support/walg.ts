/** A real wal-g, whose path `WALG_BIN` gives. Nothing waits for it for ever. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  scratchPath,
  stageForServerUser,
  startFrom,
  type PostgresVersion,
  type Server,
} from './postgres.ts';
import { runCommand, type TsbkOptions, type TsbkRun } from './tsbk.ts';

type Environment = Readonly<Record<string, string>>;

/** Far longer than any of its commands takes here, and shorter than what ends a hanging test file. */
const WALG_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 20_000;

const given = process.env['WALG_BIN'] ?? '';

/** Where the server's user can execute it; empty where there is none. */
export const WALG = given === '' ? '' : stageForServerUser(given);

const answers = new Map<string, string | undefined>();

/**
 * Why a test that needs a real wal-g cannot run, or `false`. Builds of wal-g differ in what they can
 * do: with settings, whether it can store with them (codec, cipher) is asked of it.
 */
export function walgLacks(...settings: readonly Environment[]): string | false {
  if (WALG === '') return 'WALG_BIN names no wal-g';
  for (const env of settings) {
    const key = JSON.stringify(env);
    if (!answers.has(key)) answers.set(key, refusal(env));
    const answer = answers.get(key);
    if (answer !== undefined) return `this wal-g cannot: ${answer}`;
  }
  return false;
}

/** What wal-g says when it is to store a file; `undefined` when it does. */
function refusal(env: Environment): string | undefined {
  const root = scratchPath('ability');
  mkdirSync(root);
  const file = join(root, 'file');
  writeFileSync(file, 'content');
  try {
    execFileSync(WALG, ['st', 'put', file, 'stored'], {
      env: { ...env, HOME: root, WALG_FILE_PREFIX: root },
      stdio: 'pipe',
      timeout: ANSWER_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer };
    const last = stderr?.toString().trim().split('\n').at(-1) ?? '';
    return last.replace(/^ERROR: [\d/]+ [\d:.]+ /, '') || message;
  }
}

/** Runs wal-g as the server's user. Rejects when it does not end in two minutes, and ends it. */
export function runWalg(args: readonly string[], options: TsbkOptions = {}): Promise<TsbkRun> {
  return runCommand(WALG, args, { timeoutMs: WALG_TIMEOUT_MS, ...options });
}

export interface WalgRestore {
  readonly version: PostgresVersion;
  /** Settings of the repository. */
  readonly env: Environment;
  /** Stop as soon as the backup is consistent; otherwise recovery goes to the end of the WAL. */
  readonly immediate?: boolean;
}

/** Starts a server on what was restored; its WAL comes by wal-g. Resolves when it takes writes. */
export function startByWalg(
  directory: string,
  { version, env, immediate = false }: WalgRestore,
): Promise<Server> {
  // wal-g writes no recovery settings: its users do.
  writeFileSync(join(directory, 'recovery.signal'), '');
  return startFrom(directory, {
    version,
    waitFor: 'end-of-recovery',
    // Else each fetch starts another wal-g, for segments that nobody will ask for.
    env: immediate ? { ...env, WALG_DOWNLOAD_CONCURRENCY: '1' } : env,
    settings: {
      restore_command: `${WALG} wal-fetch %f %p`,
      ...(immediate ? { recovery_target: 'immediate', recovery_target_action: 'promote' } : {}),
    },
  });
}
