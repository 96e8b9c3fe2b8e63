import { stat } from 'node:fs/promises';
import { fileIdentity } from '../archive/file-identity.ts';
import type { Asked } from '../archive/push-record.ts';

/**
 * What the launcher compares, in its order, before it answers from memory: every variable that says
 * where the repository is or that nothing is to be remembered. Their values are no secrets. The
 * launcher has the same list, and a test holds the two together.
 */
export const ASKED_NAMES = [
  'TSBK_FILE_PREFIX',
  'WALG_FILE_PREFIX',
  'WALE_FILE_PREFIX',
  'TSBK_S3_PREFIX',
  'WALG_S3_PREFIX',
  'WALE_S3_PREFIX',
  'TSBK_STORAGE_PREFIX',
  'WALG_STORAGE_PREFIX',
  'TSBK_S3_ENDPOINT',
  'AWS_ENDPOINT',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL',
  'TSBK_S3_REGION',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'TSBK_S3_PROFILE',
  'AWS_PROFILE',
  'TSBK_S3_CONFIG_FILE',
  'AWS_CONFIG_FILE',
  'TSBK_PUSH_AHEAD',
  'TOTAL_BG_UPLOADED_LIMIT',
] as const;

export interface AskedRequest {
  /** The command line without the program. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The settings file that was read, if there was one. */
  readonly settingsFile: string | undefined;
  /** Milliseconds since the epoch: when the process began, which was before it read that file. */
  readonly startedMs: number;
}

/** How old a settings file must be for its attributes to tell it from a later one. */
const SETTLED_MS = 2000;

/**
 * What this command was given, as its launcher will see it next time. `undefined` for what the
 * launcher leaves to this program: other options, no home directory, a settings file just written.
 */
export async function askedAs(request: AskedRequest): Promise<Asked | undefined> {
  const { args, env, settingsFile, startedMs } = request;
  const isPlain = args.length === 1 || (args.length === 3 && args[0] === '--config');
  const values = ASKED_NAMES.map((name) => env[name] ?? '');
  if (!isPlain || values.some((value) => /[|\n]/.test(value))) return undefined;
  if ((env['HOME'] ?? '') === '') return undefined;
  const environment = values.join('|');
  if (settingsFile === undefined) return { environment, settings: 'none', settingsIdentity: '' };
  try {
    const stats = await stat(settingsFile, { bigint: true });
    if (Number(stats.ctimeMs) + SETTLED_MS > startedMs) return undefined;
    return { environment, settings: settingsFile, settingsIdentity: fileIdentity(stats) };
  } catch {
    return undefined;
  }
}
