import { TsbkError } from '../kernel/errors.ts';

export interface ServerVersion {
  readonly major: number;
  /** As `server_version_num`: 170010 is 17.10. A version under development has no minor: 190000. */
  readonly number: number;
  /** As the server says it: `17.10 (Debian 17.10-1)`. */
  readonly text: string;
}

/** The oldest whose BASE_BACKUP can send a manifest. */
const MAJOR_MIN = 13;

/** Reads `server_version`. Throws `server-unsupported` for versions before 13 and for no version. */
export function parseServerVersion(text: string): ServerVersion {
  const match = /^(\d{1,3})(?:\.(\d{1,4}))?/.exec(text);
  const major = Number(match?.[1] ?? Number.NaN);
  if (!(major >= MAJOR_MIN)) {
    throw new TsbkError('server-unsupported', `the server is PostgreSQL ${JSON.stringify(text)}`, {
      hint: `tsbk needs PostgreSQL ${MAJOR_MIN} or later.`,
    });
  }
  return { major, number: major * 10_000 + Number(match?.[2] ?? 0), text };
}
