import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import type { BackupRequest } from '../ports/backup-source.ts';
import { baseBackupCommand } from './base-backup-command.ts';

const REQUEST: BackupRequest = { label: 'x', checkpoint: 'fast', verifyChecksums: true };

describe('baseBackupCommand', () => {
  it('uses bare words up to 14', () => {
    assert.equal(
      baseBackupCommand({ ...REQUEST, maxRateBytes: 1024 * 1024 }, 14),
      "BASE_BACKUP LABEL 'x' PROGRESS FAST NOWAIT MAX_RATE 1024 TABLESPACE_MAP MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'",
    );
  });

  it('uses a list in parentheses from 15 on', () => {
    assert.equal(
      baseBackupCommand(REQUEST, 15),
      "BASE_BACKUP (LABEL 'x', PROGRESS, CHECKPOINT 'fast', WAIT false, TABLESPACE_MAP, VERIFY_CHECKSUMS true, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')",
    );
  });

  it('leaves a spread checkpoint and unverified checksums to be said in each form', () => {
    const request: BackupRequest = { label: 'x', checkpoint: 'spread', verifyChecksums: false };
    assert.match(baseBackupCommand(request, 13), /PROGRESS NOWAIT .*NOVERIFY_CHECKSUMS/);
    assert.match(baseBackupCommand(request, 18), /CHECKPOINT 'spread'.*VERIFY_CHECKSUMS false/);
  });

  it('doubles quotes in the label', () => {
    assert.match(baseBackupCommand({ ...REQUEST, label: "it's" }, 17), /LABEL 'it''s',/);
  });

  it('caps a rate that is more than the server takes', () => {
    assert.match(baseBackupCommand({ ...REQUEST, maxRateBytes: 2 ** 40 }, 17), /MAX_RATE 1048576,/);
  });

  for (const label of ['x'.repeat(1025), 'é'.repeat(513), 'two\nlines', 'nul\0']) {
    it(`refuses the label ${JSON.stringify(label.slice(0, 12))} (${label.length})`, () => {
      refuses({ ...REQUEST, label });
    });
  }

  for (const maxRateBytes of [0, -1, 32 * 1024 - 1, Number.NaN]) {
    it(`refuses a rate of ${maxRateBytes} bytes a second`, () => {
      refuses({ ...REQUEST, maxRateBytes });
    });
  }
});

function refuses(request: BackupRequest): void {
  assert.throws(
    () => baseBackupCommand(request, 17),
    (error) => isTsbkError(error, 'usage'),
  );
}
