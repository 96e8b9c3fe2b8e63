import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toLsn } from '../kernel/lsn.ts';
import { checkIntegrity, type IntegrityRequest, type SegmentStatus } from './integrity.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;

interface Counted {
  readonly timeline: number;
  readonly number: bigint;
  readonly status: SegmentStatus;
}

/** As WAL-G counts: one segment after the other, from the newest on, in three phases. */
function countOneByOne(request: IntegrityRequest, switchAt: bigint | undefined): Counted[] {
  const { current, listing } = request;
  const counted: Counted[] = [];
  let number = current.number;
  const next = (missing: SegmentStatus): SegmentStatus | undefined => {
    number -= 1n;
    if (number < (request.from ?? 1n)) return undefined;
    const timeline = switchAt !== undefined && number < switchAt ? 1 : current.timeline;
    const ranges = listing.segments.get(timeline) ?? [];
    const isThere = ranges.some(({ first, last }) => first <= number && number <= last);
    const lost = timeline === current.timeline ? missing : 'MISSING_LOST';
    const status = isThere ? 'FOUND' : lost;
    counted.unshift({ timeline, number, status });
    return status;
  };
  for (let n = 0; n < request.delayed; n += 1) if (next('MISSING_DELAYED') === 'FOUND') break;
  for (let n = 0; n < request.uploading; n += 1) next('MISSING_UPLOADING');
  while (next('MISSING_LOST') !== undefined);
  return counted;
}

function request(
  of: Partial<IntegrityRequest> & Pick<IntegrityRequest, 'listing'>,
): IntegrityRequest {
  return {
    segmentBytes: SEGMENT_BYTES,
    current: { timeline: 1, number: 20n },
    history: undefined,
    from: 1n,
    delayed: 0,
    uploading: 2,
    ...of,
  };
}

function archive(...ranges: readonly (readonly [number, number])[]) {
  return {
    segments: new Map([
      [1, ranges.map(([first, last]) => ({ first: BigInt(first), last: BigInt(last) }))],
    ]),
  };
}

const rangesArbitrary = fc
  .uniqueArray(fc.integer({ min: 1, max: 30 }))
  .map((numbers) =>
    numbers.sort((a, b) => a - b).map((n) => ({ first: BigInt(n), last: BigInt(n) })),
  );

describe('the integrity of an archive', () => {
  it('is what WAL-G counts one by one, for any archive and any switch of timelines', () => {
    fc.assert(
      fc.property(
        rangesArbitrary,
        rangesArbitrary,
        fc.option(fc.bigInt(2n, 25n), { nil: undefined }),
        fc.nat(5),
        fc.nat(5),
        fc.bigInt(1n, 10n),
        (one, two, switchAt, delayed, uploading, from) => {
          const switchLsn = toLsn((switchAt ?? 0n) * BigInt(SEGMENT_BYTES) + 100n);
          const ancestors = [{ timeline: 1, switchLsn, reason: '' }];
          const of = request({
            listing: {
              segments: new Map([
                [1, one],
                [2, two],
              ]),
            },
            current: { timeline: 2, number: 26n },
            history: switchAt === undefined ? undefined : { timeline: 2, ancestors },
            from,
            delayed,
            uploading,
          });
          const told = checkIntegrity(of).rows.flatMap(({ timeline, first, last, status }) =>
            Array.from({ length: Number(last - first + 1n) }, (_, n) => {
              return { timeline, number: first + BigInt(n), status };
            }),
          );
          assert.deepEqual(told, countOneByOne(of, switchAt));
        },
      ),
    );
  });

  it('fails where a segment is missing behind those that may be under way', () => {
    assert.equal(
      checkIntegrity(request({ listing: archive([1, 16], [18, 19]) })).status,
      'FAILURE',
    );
    assert.equal(
      checkIntegrity(request({ listing: archive([1, 17], [19, 19]) })).status,
      'WARNING',
    );
    assert.equal(checkIntegrity(request({ listing: archive([1, 19]) })).status, 'OK');
  });

  it('lets the newest segments lag behind only as far as was asked for', () => {
    const listing = archive([1, 14]);
    assert.equal(checkIntegrity(request({ listing, delayed: 5 })).status, 'WARNING');
    assert.equal(checkIntegrity(request({ listing, delayed: 2 })).status, 'FAILURE');
  });

  it('does not miss what is before the first segment where there is no backup', () => {
    const listing = archive([5, 19]);
    assert.equal(checkIntegrity(request({ listing, from: undefined })).status, 'WARNING');
    assert.equal(checkIntegrity(request({ listing, from: 1n })).status, 'FAILURE');
    const broken = archive([5, 10], [12, 19]);
    assert.equal(checkIntegrity(request({ listing: broken, from: undefined })).status, 'FAILURE');
  });

  it('counts nothing of a timeline that has ended as being uploaded', () => {
    const switchLsn = toLsn(19n * BigInt(SEGMENT_BYTES) + 8n);
    const segments = new Map([
      [1, [{ first: 1n, last: 17n }]],
      [2, [{ first: 19n, last: 19n }]],
    ]);
    const history = { timeline: 2, ancestors: [{ timeline: 1, switchLsn, reason: '' }] };
    const current = { timeline: 2, number: 20n };
    const { status, rows } = checkIntegrity(
      request({ listing: { segments }, current, history, uploading: 16 }),
    );
    assert.equal(status, 'FAILURE');
    assert.deepEqual(rows[1], { timeline: 1, first: 18n, last: 18n, status: 'MISSING_LOST' });
  });
});
