import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { parseBackupHistory } from './backup-history.ts';
import { parseBackupLabel } from './backup-label.ts';

/** PostgreSQL 18, label with an apostrophe and an accent. */
const LABEL = `START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
CHECKPOINT LOCATION: 0/2000080
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-11-22 02:58:51 CET
LABEL: la'bel é
START TIMELINE: 1
`;
const HISTORY = LABEL.replace(
  'CHECKPOINT',
  'STOP WAL LOCATION: 0/2000120 (file 000000010000000000000002)\nCHECKPOINT',
).concat('STOP TIME: 2026-11-22 02:58:51 CET\nSTOP TIMELINE: 1\n');

function label(text: string): ReturnType<typeof parseBackupLabel> {
  return parseBackupLabel(Buffer.from(text));
}

function isInvalid(error: unknown): boolean {
  return isTsbkError(error, 'record-invalid');
}

describe('parseBackupLabel', () => {
  it('reads what PostgreSQL writes', () => {
    assert.deepEqual(label(LABEL), {
      start: { lsn: 0x2000028n, segment: '000000010000000000000002' },
      checkpointLsn: 0x2000080n,
      method: 'streamed',
      from: 'primary',
      startTime: '2026-11-22 02:58:51 CET',
      label: "la'bel é",
      timeline: 1,
      incrementalFrom: undefined,
    });
  });

  it('takes the "master" of PostgreSQL 13 for a primary', () => {
    assert.equal(label(LABEL.replace('primary', 'master')).from, 'primary');
    assert.equal(label(LABEL.replace('primary', 'standby')).from, 'standby');
  });

  it('reads where the parent of an incremental backup began', () => {
    const text = `${LABEL}INCREMENTAL FROM LSN: 0/7000028\nINCREMENTAL FROM TLI: 2\n`;
    assert.deepEqual(label(text).incrementalFrom, { lsn: 0x7000028n, timeline: 2 });
  });

  it('takes the first of two lines, so that a label with a newline changes nothing before it', () => {
    assert.equal(
      label(LABEL.replace('la', 'x\nSTART WAL LOCATION: 0/1 (file 0)\ny')).start.lsn,
      0x2000028n,
    );
  });

  it('refuses a label without a line it needs, or with one that cannot be read', () => {
    for (const line of LABEL.split('\n').filter((each) => !/TIME:|LABEL|^$/.test(each))) {
      assert.throws(() => label(LABEL.replace(line, '')), isInvalid, line);
    }
    assert.throws(() => label(LABEL.replace('0/2000028', '2000028')), /START WAL LOCATION/);
    assert.throws(() => label(LABEL.replace('TIMELINE: 1', 'TIMELINE: 0')), /START TIMELINE/);
    assert.throws(() => label(`${LABEL}INCREMENTAL FROM LSN: 0/7000028\n`), /INCREMENTAL FROM TLI/);
    assert.throws(() => label(`${LABEL}INCREMENTAL FROM TLI: 1\n`), /INCREMENTAL FROM LSN/);
    assert.throws(() => label(''), isInvalid);
  });
});

describe('parseBackupHistory', () => {
  it('reads what PostgreSQL archives', () => {
    const name = '000000010000000000000002.00000028.backup';
    assert.deepEqual(parseBackupHistory(Buffer.from(HISTORY), name), {
      start: { lsn: 0x2000028n, segment: '000000010000000000000002' },
      stop: { lsn: 0x2000120n, segment: '000000010000000000000002' },
      checkpointLsn: 0x2000080n,
      from: 'primary',
      startTime: '2026-11-22 02:58:51 CET',
      stopTime: '2026-11-22 02:58:51 CET',
      label: "la'bel é",
      startTimeline: 1,
      stopTimeline: 1,
    });
  });

  it('refuses a backup label, which has no end', () => {
    assert.throws(() => parseBackupHistory(Buffer.from(LABEL), 'x.backup'), /x\.backup.*STOP WAL/);
  });
});
