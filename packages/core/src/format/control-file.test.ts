import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { instantFromMs } from '../kernel/instant.ts';
import { parseControlFile } from './control-file.ts';

/** `pg_control` of a running PostgreSQL 15 and 18, up to the CRC. */
const VERSION_15 = Buffer.from(
  `jv4VV+ZLAmsUBQAAJXcNDAYAAAAAAAAAiE0CawAAAAB4KQQDAAAAAEApBAMAAAAAAQAAAAEAAAABAAAAAAAAAOICAAAA
   AAAAAGAAAAEAAAAAAAAAzAIAAAEAAAABAAAAAQAAAAAAAACDTQJrAAAAAAAAAAAAAAAA4gIAAAAAAADoAwAAAAAAAAAA
   AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAA
   AAAAAACH1jJBACAAAAAAAgAAIAAAAAAAAUAAAAAgAAAAzAcAAAAIAAABAAAAAAAAAGhiqWDr+vd6ld8O87i/EghQqTtf
   QZP1xstV+XfvXxM8RAs/oQAAAAA=`,
  'base64',
);
const VERSION_18 = Buffer.from(
  `xJ6lyelLAmsIBwAAMwASDAYAAAAAAAAAj00CawAAAACQmQUFAAAAAACZBQUAAAAAAQAAAAEAAAABAAAAAQAAAP8CAAAA
   AAAAAGAAAAEAAAAAAAAA6AIAAAEAAAABAAAAAQAAAAAAAACITQJrAAAAAAAAAAAAAAAA/wIAAAAAAADoAwAAAAAAAAAA
   AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAZAAAAAgAAAAKAAAAAAAAAEAAAAAAAAAACAAA
   AAAAAACH1jJBACAAAAAAAgAAIAAAAAAAAUAAAAAgAAAAzAcAAAAIAAABAAAAAQAAAAHTm3AuUM1OcyBmlmIjRoDGL371
   egTT6t71rVAgTcKzKQAAAK0KACE=`,
  'base64',
);

function isInvalid(error: unknown): boolean {
  return isTsbkError(error, 'control-file-invalid') && error.retry;
}

describe('parseControlFile', () => {
  it('reads what the server wrote, as pg_controldata does', () => {
    assert.deepEqual(parseControlFile(VERSION_15), {
      systemId: 7710808964687330958n,
      controlVersion: 1300,
      catalogVersion: 202209061,
      state: 'in production',
      modified: instantFromMs(Date.UTC(2026, 10, 22, 2, 3, 52)),
      checkpointLsn: 0x3042978n,
      redoLsn: 0x3042940n,
      timeline: 1,
      previousTimeline: 1,
      checkpointTime: instantFromMs(Date.UTC(2026, 10, 22, 2, 3, 47)),
      minRecoveryLsn: 0n,
      minRecoveryTimeline: 0,
      maxPreparedTransactions: 0,
      maxLocksPerTransaction: 64,
      blockBytes: 8192,
      walBlockBytes: 8192,
      segmentBytes: 16 * 1024 * 1024,
      dataChecksumVersion: 0,
    });
  });

  it('finds the checksum of version 18 at its own place', () => {
    const { controlVersion, catalogVersion, dataChecksumVersion } = parseControlFile(VERSION_18);
    assert.deepEqual([controlVersion, catalogVersion, dataChecksumVersion], [1800, 202506291, 1]);
  });

  it('refuses any flipped bit of what is summed, and of the sum', () => {
    for (const [sample, bytes] of [[VERSION_15, 292] as const, [VERSION_18, 296] as const]) {
      for (let bit = 0; bit < bytes * 8; bit += 1) {
        const damaged = Buffer.from(sample);
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.throws(() => parseControlFile(damaged), isInvalid);
      }
    }
  });

  it('refuses a file that is cut off or of an unknown version', () => {
    assert.throws(() => parseControlFile(VERSION_18.subarray(0, 295)), /only 295 bytes/);
    const later = Buffer.from(VERSION_18);
    later.writeUInt32LE(1900, 8);
    assert.throws(() => parseControlFile(later), /version 1900/);
    assert.throws(() => parseControlFile(Buffer.alloc(8192)), isInvalid);
  });
});
