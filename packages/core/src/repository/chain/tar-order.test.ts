import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byTurn, type OrderedTar } from './tar-order.ts';

const MIB = 1024 ** 2;

function tar(name: string, given: Partial<OrderedTar>): OrderedTar & { readonly name: string } {
  return { name, last: false, plainBytes: undefined, storedBytes: 0, files: undefined, ...given };
}

test('unpacks first what takes longest, and control file and labels at the end', () => {
  const tars = [
    tar('label', { last: true, plainBytes: 900 * MIB }),
    tar('small', { plainBytes: 60 * MIB, storedBytes: 20 * MIB }),
    tar('well compressed', { plainBytes: 300 * MIB, storedBytes: 30 * MIB }),
    tar('badly compressed', { plainBytes: 200 * MIB, storedBytes: 90 * MIB }),
    tar('many files', { plainBytes: 60 * MIB, storedBytes: 15 * MIB, files: 3000 }),
    tar('of WAL-G', { storedBytes: 35 * MIB, files: 2 }),
  ];
  assert.deepEqual(
    tars.toSorted(byTurn).map(({ name }) => name),
    ['well compressed', 'many files', 'badly compressed', 'of WAL-G', 'small', 'label'],
  );
});
