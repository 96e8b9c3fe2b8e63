import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReportEvent } from '../ports/report.ts';
import { BackupNotices } from './backup-notices.ts';
import type { ServerNotice } from './messages.ts';

describe('BackupNotices', () => {
  it('names the damaged pages in the error that the server sends at the end', () => {
    const notices = new BackupNotices(() => undefined);
    notices.add(
      warning(
        'checksum verification failed in file "./base/5/16398", block 7: calculated 1 but expected 2',
      ),
    );
    notices.add(
      warning(
        'checksum verification failed in file "./pg_tblspc/16384/PG_17_202406281/5/1", block 0: calculated',
      ),
    );
    const failure = notices.failure(
      error('XX001', 'checksum verification failure during base backup'),
      false,
    );
    assert.equal(failure.code, 'page-checksum');
    assert.match(
      failure.message,
      /base\/5\/16398 block 7, pg_tblspc\/16384\/PG_17_202406281\/5\/1 block 0$/,
    );
  });

  it('quotes warnings in another language instead', () => {
    const notices = new BackupNotices(() => undefined);
    notices.add(warning('Prüfsummenüberprüfung fehlgeschlagen in Datei »./base/5/1«, Block 3'));
    assert.match(notices.failure(error('XX001', 'kaputt'), false).message, /kaputt: Prüf.*Block 3/);
  });

  it('tells of skipped files and keeps their number bounded', () => {
    const events: ReportEvent[] = [];
    const notices = new BackupNotices((event) => events.push(event));
    for (let i = 0; i < 1500; i += 1) notices.add(warning(`skipping special file "./p${i}"`));
    assert.equal(notices.warnings().length, 1000);
    assert.equal(events.length, 1000);
    assert.deepEqual(events[0], {
      kind: 'warning',
      code: 'file-skipped',
      text: 'skipping special file "./p0"',
    });
  });

  it('counts a warning that is said twice once', () => {
    const notices = new BackupNotices(() => undefined);
    notices.add(warning('skipping special file "./p"'));
    notices.add(warning('skipping special file "./p"'));
    assert.deepEqual(notices.warnings(), ['skipping special file "./p"']);
  });

  it('takes notices for information and not for warnings', () => {
    const events: ReportEvent[] = [];
    const notices = new BackupNotices((event) => events.push(event));
    notices.add({ severity: 'NOTICE', code: '00000', message: 'waiting' });
    assert.equal(notices.warnings().length, 0);
    assert.equal(events[0]?.kind, 'info');
  });

  it('knows a promotion by its text, or by the parameter when the text is translated', () => {
    const notices = new BackupNotices(() => undefined);
    const text = 'the standby was promoted during online backup';
    assert.equal(notices.failure(error('55000', text), false).code, 'server-promoted');
    assert.equal(notices.failure(error('55000', 'befördert'), true).code, 'server-promoted');
    assert.equal(
      notices.failure(error('55000', 'WAL generated with full_page_writes=off'), false).code,
      'server-error',
    );
  });
});

function warning(message: string): ServerNotice {
  return { severity: 'WARNING', code: '01000', message };
}

function error(code: string, message: string): ServerNotice {
  return { severity: 'ERROR', code, message };
}
