import { TsbkError } from '../kernel/errors.ts';
import type { Report } from '../ports/report.ts';
import type { ServerNotice } from './messages.ts';
import { serverError } from './server-error.ts';

/** A page whose checksum the server found wrong. */
export interface DamagedPage {
  /** Path below the data directory. */
  readonly file: string;
  readonly block: number;
}

/** A server could warn of each of a million files. */
const KEPT_MAX = 1000;
const NAMED_MAX = 20;

/**
 * Collects what the server warns of while it sends a backup, and tells `report` at once. The same
 * text counts once: the server says it again when it first adds up the sizes. Names are read out
 * of the text, so with messages in another language they stay in the text.
 */
export class BackupNotices {
  readonly #warnings = new Set<string>();
  readonly #damaged: DamagedPage[] = [];
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** Texts of the warnings, the first thousand of them. */
  warnings(): string[] {
    return [...this.#warnings];
  }

  add(notice: ServerNotice): void {
    if (notice.severity !== 'WARNING') {
      this.#report({ kind: 'info', text: `PostgreSQL: ${notice.message}` });
      return;
    }
    if (this.#warnings.has(notice.message) || this.#warnings.size >= KEPT_MAX) return;
    this.#warnings.add(notice.message);
    const page = damagedPage(notice.message);
    if (page !== undefined) this.#damaged.push(page);
    this.#report({ kind: 'warning', code: warningCode(notice, page), text: notice.message });
  }

  /** The error for a backup that the server ended with an error. */
  failure(notice: ServerNotice, promoted: boolean): TsbkError {
    if (notice.code === 'XX001') return this.#checksumFailure(notice);
    if (notice.code !== '55000') return serverError('BASE_BACKUP', notice);
    if (promoted || /\bpromoted\b/.test(notice.message)) {
      return new TsbkError('server-promoted', `BASE_BACKUP: ${notice.message}`, {
        hint: 'Nothing of this backup can be used. Take a new one.',
      });
    }
    return serverError('BASE_BACKUP', notice);
  }

  #checksumFailure(notice: ServerNotice): TsbkError {
    const named = this.#damaged.map(({ file, block }) => `${file} block ${block}`);
    const list = named.length > 0 ? named : this.warnings();
    const rest = list.length > NAMED_MAX ? ` and ${list.length - NAMED_MAX} more` : '';
    const pages = list.slice(0, NAMED_MAX).join(', ');
    return new TsbkError('page-checksum', `${notice.message}: ${pages}${rest}`, {
      hint: 'Data on the server is damaged. Keep earlier backups, find the relations by pg_filenode_relation() and repair them or restore.',
    });
  }
}

function warningCode(notice: ServerNotice, page: DamagedPage | undefined): string {
  if (page !== undefined) return 'page-checksum';
  return notice.message.startsWith('skipping special file') ? 'file-skipped' : 'server-warning';
}

/** `checksum verification failed in file "./base/5/16398", block 0: …`, the same from 13 to 18. */
function damagedPage(message: string): DamagedPage | undefined {
  const match = /^checksum verification failed in file "(?:\.\/)?(.+)", block (\d+)/.exec(message);
  const [, file, block] = match ?? [];
  return file === undefined ? undefined : { file, block: Number(block) };
}
