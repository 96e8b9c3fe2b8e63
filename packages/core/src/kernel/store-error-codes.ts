import type { ErrorCodeEntry } from './error-code-entry.ts';

/** The part of the table that concerns the object store and the objects in it. */
export const STORE_ERROR_CODES = {
  'store-unreachable': {
    exit: 'temporary',
    retry: true,
    doc: 'The object store did not answer, or only with an internal error. Check endpoint, network and the service.',
  },
  'store-throttled': {
    exit: 'temporary',
    retry: true,
    doc: 'The object store asked to slow down, and went on asking until the retry budget was used up.',
  },
  'store-conflict': {
    exit: 'temporary',
    retry: true,
    doc: 'Somebody else was writing the same object at the same moment, and the store let neither of them decide.',
  },
  'store-tls': {
    exit: 'failure',
    retry: false,
    doc: 'The TLS certificate of the object store cannot be trusted, or TLS itself failed. Check the endpoint, or set WALG_S3_CA_CERT_FILE.',
  },
  'store-denied': {
    exit: 'failure',
    retry: false,
    doc: 'The object store refused the credentials or the right to do this. `tsbk check` lists what is missing.',
  },
  'store-missing': {
    exit: 'failure',
    retry: false,
    doc: 'The bucket or directory of the repository does not exist. Create it, or correct the prefix.',
  },
  'repository-empty': {
    exit: 'failure',
    retry: false,
    doc: 'There is neither a backup nor WAL where the repository should be. `archive-get` does not take that for an archive that ends here: the file system may be not mounted, or the prefix mistyped.',
  },
  'store-full': {
    exit: 'temporary',
    retry: false,
    doc: 'The object store or the file system has no space (or quota) left.',
  },
  'store-failed': {
    exit: 'failure',
    retry: false,
    doc: 'The object store answered with an error that tsbk has no better name for; the message quotes it.',
  },
  'store-corrupt-write': {
    exit: 'failure',
    retry: true,
    doc: 'What the store holds after a write is not what was sent (length or checksum differ).',
  },
  'store-timeout': {
    exit: 'temporary',
    retry: true,
    doc: 'A request to the store made no progress within its deadline.',
  },
  'object-exists': {
    exit: 'conflict',
    retry: false,
    doc: 'An object that must not exist yet exists.',
  },
  'object-guarded': {
    exit: 'failure',
    retry: false,
    doc: 'What was to be removed may belong to a backup or to WAL. Nothing was removed. `--plan` shows what would be, `--force` says that it is meant.',
  },
  'download-failed': {
    exit: 'failure',
    retry: false,
    doc: 'A file that `tsbk st get` was to write exists, or cannot be written.',
  },
  'object-missing': {
    exit: 'failure',
    retry: false,
    doc: 'An object that a record of the repository promises is not there.',
  },
  'object-corrupt': {
    exit: 'failure',
    retry: false,
    doc: 'An object is truncated, has flipped bits or is not what its name says. Nothing of it was used.',
  },
  'object-truncated': {
    exit: 'failure',
    retry: true,
    doc: 'A download ended before the announced length.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;
