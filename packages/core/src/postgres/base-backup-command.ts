import { TsbkError } from '../kernel/errors.ts';
import type { BackupRequest } from '../ports/backup-source.ts';

/** The first version with the parenthesised form, a single COPY and named archives. */
export const MAJOR_WITH_OPTION_LIST = 15;

const LABEL_BYTES_MAX = 1024;
/** What MAX_RATE takes, in KiB a second (`replication/basebackup.h`). */
const RATE_KIB_MIN = 32;
const RATE_KIB_MAX = 1_048_576;

/**
 * The BASE_BACKUP command for a server version (PostgreSQL docs, "Streaming Replication Protocol").
 * Always without waiting for the archiver, with a manifest of CRC-32C checksums and with the
 * tablespace map as a file. Throws `usage` for a label or rate the server would refuse.
 */
export function baseBackupCommand(request: BackupRequest, major: number): string {
  const label = quoteLabel(request.label);
  const rate = maxRateKib(request.maxRateBytes);
  return major >= MAJOR_WITH_OPTION_LIST
    ? optionList(request, label, rate)
    : bareWords(request, label, rate);
}

function optionList(request: BackupRequest, label: string, rate: number | undefined): string {
  const options = [
    `LABEL ${label}`,
    'PROGRESS',
    `CHECKPOINT '${request.checkpoint}'`,
    'WAIT false',
    ...(rate === undefined ? [] : [`MAX_RATE ${rate}`]),
    'TABLESPACE_MAP',
    `VERIFY_CHECKSUMS ${request.verifyChecksums}`,
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'CRC32C'",
    ...(request.sinceManifest === undefined ? [] : ['INCREMENTAL']),
  ];
  return `BASE_BACKUP (${options.join(', ')})`;
}

function bareWords(request: BackupRequest, label: string, rate: number | undefined): string {
  const options = [
    `LABEL ${label}`,
    'PROGRESS',
    ...(request.checkpoint === 'fast' ? ['FAST'] : []),
    'NOWAIT',
    ...(rate === undefined ? [] : [`MAX_RATE ${rate}`]),
    'TABLESPACE_MAP',
    ...(request.verifyChecksums ? [] : ['NOVERIFY_CHECKSUMS']),
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'CRC32C'",
  ];
  return `BASE_BACKUP ${options.join(' ')}`;
}

/** The label becomes a line of `backup_label`. */
function quoteLabel(label: string): string {
  if (Buffer.byteLength(label) > LABEL_BYTES_MAX || /[\0\r\n]/.test(label)) {
    throw new TsbkError('usage', `backup label ${JSON.stringify(label.slice(0, 100))}`, {
      hint: `Give one line of at most ${LABEL_BYTES_MAX} bytes.`,
    });
  }
  return `'${label.replaceAll("'", "''")}'`;
}

function maxRateKib(bytes: number | undefined): number | undefined {
  if (bytes === undefined) return undefined;
  const kib = Math.floor(bytes / 1024);
  if (!(kib >= RATE_KIB_MIN)) {
    throw new TsbkError('usage', `a rate limit of ${bytes} bytes a second`, {
      hint: `PostgreSQL takes ${RATE_KIB_MIN} KiB a second and more.`,
    });
  }
  return Math.min(kib, RATE_KIB_MAX);
}
