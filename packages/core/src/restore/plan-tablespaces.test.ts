import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { mappingOfSpec, parseTablespaceMapping, planTablespaces } from './plan-tablespaces.ts';

const SPEC = {
  basePrefix: '/var/lib/pg/17',
  tablespaces: [
    { oid: '16400', location: '/mnt/ts1/' },
    { oid: '16401', location: '/var/lib/pg/17/inside' },
  ],
};

const locations = (...mapping: readonly string[]) =>
  planTablespaces(SPEC, mapping.map(parseTablespaceMapping), '/restore').map(
    ({ oid, location }) => `${oid} ${location}`,
  );

describe('parseTablespaceMapping', () => {
  it('reads a directory or an OID, and escaped equals signs', () => {
    assert.deepEqual(parseTablespaceMapping('16400=/new'), { from: '16400', to: '/new' });
    assert.deepEqual(parseTablespaceMapping('/a\\=b/=/c//d/'), { from: '/a=b', to: '/c/d' });
  });

  it('refuses relative paths and too few or too many parts', () => {
    for (const text of ['', '16400', 'x=/a', '16400=a', '/a=b', '/a=/b=/c', '=/a']) {
      assert.throws(
        () => parseTablespaceMapping(text),
        (error) => isTsbkError(error, 'usage'),
        text,
      );
    }
  });
});

describe('planTablespaces', () => {
  it('leaves a tablespace where it was, and inside the data directory what was inside', () => {
    assert.deepEqual(locations(), ['16400 /mnt/ts1', '16401 /restore/inside']);
  });

  it('maps by OID and by directory', () => {
    assert.deepEqual(locations('/mnt/ts1=/new', '16401=/other'), ['16400 /new', '16401 /other']);
  });

  it('adds a tablespace of which only the mapping knows', () => {
    assert.equal(locations('16500=/new')[2], '16500 /new');
  });

  it('refuses a directory that no tablespace had, and two mappings of one', () => {
    const isUsage = (error: unknown): boolean => isTsbkError(error, 'usage');
    assert.throws(() => locations('/mnt/ts2=/new'), isUsage);
    assert.throws(() => locations('/mnt/ts1=/new', '16400=/other'), isUsage);
  });

  it('refuses a recorded location that none can be', () => {
    for (const location of ['/', 'relative', '/mnt/../..', '/a\0b']) {
      const spec = { basePrefix: '', tablespaces: [{ oid: '16400', location }] };
      assert.throws(
        () => planTablespaces(spec, [], '/restore'),
        (error) => isTsbkError(error, 'unsafe-name'),
        location,
      );
      const mapped = planTablespaces(spec, [{ from: '16400', to: '/new' }], '/restore');
      assert.equal(mapped[0]?.location, '/new');
    }
  });

  it('takes the locations of a WAL-G restore spec', () => {
    const spec = { basePrefix: '/x', tablespaces: [{ oid: '16400', location: '/from/spec' }] };
    const [first] = planTablespaces(SPEC, mappingOfSpec(spec), '/restore');
    assert.equal(first?.location, '/from/spec');
  });
});
