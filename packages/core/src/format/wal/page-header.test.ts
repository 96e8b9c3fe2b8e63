import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../../kernel/errors.ts';
import { checkWalSegment, parseWalPageHeader } from './page-header.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** First bytes of 000000010000000000000002 as PostgreSQL 18 archived it. */
const PAGE = Buffer.from(
  '18d1020001000000000000020000000000000000000000' + '00c49ea5c9e94b026b0000000100200000',
  'hex',
);
const NAME = '000000010000000000000002';

function changed(change: (page: Buffer) => void): Buffer {
  const page = Buffer.from(PAGE);
  change(page);
  return page;
}

function refuses(problem: RegExp, page: Buffer, name = NAME, bytes = SEGMENT_BYTES): void {
  assert.throws(
    () => checkWalSegment(name, page, bytes),
    (error) => {
      assert.ok(isTsbkError(error, 'wal-invalid'));
      assert.match(error.message, problem);
      assert.ok(error.message.includes(name));
      return true;
    },
  );
}

describe('parseWalPageHeader', () => {
  it('reads the header of a first page', () => {
    assert.deepEqual(parseWalPageHeader(PAGE), {
      magic: 0xd118,
      version: 18,
      info: 2,
      timeline: 1,
      pageAddress: 0x2000000n,
      systemId: 7710808979494248132n,
      segmentBytes: SEGMENT_BYTES,
      blockBytes: 8192,
    });
  });

  it('gives nothing for fewer than 40 bytes', () => {
    assert.equal(parseWalPageHeader(PAGE.subarray(0, 39)), undefined);
  });
});

describe('checkWalSegment', () => {
  it('gives what a valid segment says of itself', () => {
    assert.deepEqual(checkWalSegment(NAME, PAGE, SEGMENT_BYTES), {
      systemId: 7710808979494248132n,
      version: 18,
      segmentBytes: SEGMENT_BYTES,
    });
  });

  it('knows the magic of PostgreSQL 13 to 18', () => {
    const magics = [0xd106, 0xd10d, 0xd110, 0xd113, 0xd116, 0xd118];
    const versions = magics.map((magic) => {
      const page = changed((bytes) => bytes.writeUInt16LE(magic, 0));
      return checkWalSegment(NAME, page, SEGMENT_BYTES).version;
    });
    assert.deepEqual(versions, [13, 14, 15, 16, 17, 18]);
  });

  it('accepts the first segment of a timeline, which has the timeline of its parent', () => {
    assert.equal(checkWalSegment('000000030000000000000002', PAGE, SEGMENT_BYTES).version, 18);
  });

  it('accepts other segment sizes with their names', () => {
    const megabyte = changed((bytes) => {
      bytes.writeUInt32LE(1 << 20, 32);
      bytes.writeBigUInt64LE(0x1_fff0_0000n, 8);
    });
    const name = '000000010000000100000FFF';
    assert.equal(checkWalSegment(name, megabyte, 1 << 20).segmentBytes, 1 << 20);
  });

  it('refuses what is no WAL or of an unknown version', () => {
    refuses(/0000 is of no PostgreSQL/, Buffer.alloc(8192));
    refuses(
      /D101 is of no PostgreSQL/,
      changed((page) => page.writeUInt16LE(0xd101, 0)),
    );
    refuses(/only 12 bytes/, PAGE.subarray(0, 12), NAME, 12);
  });

  it('refuses a page that does not begin a segment', () => {
    refuses(
      /flags 0 /,
      changed((page) => page.writeUInt16LE(0, 2)),
    );
    refuses(
      /flags 12 /,
      changed((page) => page.writeUInt16LE(0x12, 2)),
    );
  });

  it('refuses another length than the header says', () => {
    refuses(/has 16777215 bytes/, PAGE, NAME, SEGMENT_BYTES - 1);
    refuses(/has 33554432 bytes/, PAGE, NAME, SEGMENT_BYTES * 2);
    refuses(
      /segment size of 3000000/,
      changed((page) => page.writeUInt32LE(3_000_000, 32)),
    );
    refuses(
      /block size of 0/,
      changed((page) => page.writeUInt32LE(0, 36)),
    );
  });

  it('refuses the content of another segment', () => {
    refuses(/begins at 0\/2000000, its name says 0\/3000000/, PAGE, '000000010000000000000003');
    refuses(/no such name/, PAGE, '000000010000000000000100');
    refuses(/no such name/, PAGE, '00000001.history');
  });

  it('refuses a segment of a later timeline than its name', () => {
    refuses(
      /says timeline 2, its name 1/,
      changed((page) => page.writeUInt32LE(2, 4)),
    );
    refuses(
      /says timeline 0/,
      changed((page) => page.writeUInt32LE(0, 4)),
    );
  });
});
