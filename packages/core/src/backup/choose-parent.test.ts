import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { formatInstant, instantFromMs, type Instant } from '../kernel/instant.ts';
import { toSystemId } from '../kernel/system-id.ts';
import type { JsonObject } from '../format/json.ts';
import type { BackupSummary } from '../repository/catalog.ts';
import { parseMetadata } from '../repository/metadata.ts';
import { parseSentinel } from '../repository/sentinel.ts';
import { chooseParent, type ParentChoice, type ParentRequest } from './choose-parent.ts';

const SYSTEM_ID = 7_710_781_881_545_605_755n;
const minute = (n: number): Instant => instantFromMs(Date.UTC(2026, 10, 22, 10, n));

interface Given {
  /** Minute of its start. */
  readonly start: number;
  readonly from?: string;
  readonly count?: number;
  readonly permanent?: boolean;
  readonly noMetadata?: boolean;
  readonly sentinel?: JsonObject;
}

function backup(name: string, given: Given): BackupSummary {
  const { start, from, count, permanent = false, noMetadata = false } = given;
  const delta =
    from === undefined
      ? {}
      : { DeltaFrom: from, DeltaLSN: 1, DeltaFullName: 'full', DeltaCount: count ?? 1 };
  const sentinel = {
    LSN: start,
    FinishLSN: start + 1,
    PgVersion: 170_005,
    SystemIdentifier: SYSTEM_ID,
    StartTime: formatInstant(minute(start)),
    ...delta,
    ...given.sentinel,
  };
  return {
    name,
    // The store's time says nothing: this one was copied there in another order.
    modified: minute(60 - start),
    sentinel: parseSentinel(sentinel, name),
    metadata: noMetadata ? undefined : parseMetadata({ is_permanent: permanent }, name),
  };
}

const CHAIN = [
  backup('second', { start: 30, from: 'first', count: 2 }),
  backup('full', { start: 10 }),
  backup('first', { start: 20, from: 'full' }),
];

function choose(
  backups: readonly BackupSummary[],
  request: Partial<ParentRequest> = {},
  permanent = false,
): ParentChoice {
  return chooseParent(
    backups,
    { full: false, maxSteps: 6, origin: 'LATEST', ...request },
    { permanent, systemId: toSystemId(SYSTEM_ID), versionNumber: 170_010 },
  );
}

/** Names of the chain and the new delta's number. */
function chosen(choice: ParentChoice): readonly (string | number)[] {
  if (choice.kind === 'full') return [`full: ${choice.reason}`];
  return [...choice.chain.map(({ name }) => name), choice.count];
}

function refuses(choice: ParentChoice, reason: RegExp, obstacle: boolean): void {
  assert.equal(choice.kind, 'full');
  if (choice.kind !== 'full') return;
  assert.match(choice.reason, reason);
  assert.equal(choice.obstacle, obstacle, choice.reason);
}

describe('chooseParent', () => {
  it('takes the newest backup by start time, and its whole chain', () => {
    assert.deepEqual(chosen(choose(CHAIN)), ['second', 'first', 'full', 3]);
    assert.deepEqual(chosen(choose(CHAIN.slice(1, 2))), ['full', 1]);
  });

  it('takes the full backup under the newest one if told so, and counts from the newest', () => {
    assert.deepEqual(chosen(choose(CHAIN, { origin: 'LATEST_FULL' })), ['full', 3]);
  });

  it('takes the one that is named or has the user data', () => {
    assert.deepEqual(chosen(choose(CHAIN, { fromName: 'first' })), ['first', 'full', 2]);
    const marked = backup('marked', { start: 5, sentinel: { UserData: { a: [1, 2n ** 60n] } } });
    const fromUserData = { a: [1, 2n ** 60n] };
    assert.deepEqual(chosen(choose([...CHAIN, marked], { fromUserData })), ['marked', 1]);
    // A merged backup has the user data of its delta.
    const sentinel = { UserData: { a: [1, 2n ** 60n] } };
    const delta = backup('delta', { start: 40, from: 'first', sentinel });
    const merged = backup('merged', { start: 40, sentinel });
    assert.deepEqual(chosen(choose([...CHAIN, delta, merged], { fromUserData })), ['merged', 1]);
  });

  it('asks for a full backup where the rules do', () => {
    refuses(choose(CHAIN, { full: true }), /--full/, false);
    refuses(choose(CHAIN, { maxSteps: 0 }), /MAX_STEPS is 0/, false);
    refuses(choose(CHAIN, { maxSteps: 0, fromName: 'full' }), /MAX_STEPS is 0/, true);
    refuses(choose([]), /no backup yet/, false);
    refuses(choose(CHAIN, { maxSteps: 2 }), /second is delta 2 of the 2/, false);
    const permanent = [backup('kept', { start: 1, permanent: true })];
    refuses(choose(permanent), /kept is permanent/, false);
    assert.deepEqual(chosen(choose(permanent, {}, true)), ['kept', 1]);
    assert.deepEqual(chosen(choose(permanent, { origin: 'LATEST_FULL' })), ['kept', 1]);
  });

  it('builds on nothing that cannot be restored', () => {
    refuses(choose(CHAIN.slice(0, 2)), /second cannot be restored: first is not there/, true);
    const loop = [backup('loop', { start: 1, from: 'loop' })];
    refuses(choose(loop), /loop cannot be restored/, true);
    const wrong: readonly (readonly [Given, RegExp])[] = [
      [{ start: 1, noMetadata: true }, /no metadata/],
      [{ start: 1, sentinel: { FinishLSN: null } }, /where in the WAL/],
      [{ start: 1, sentinel: { LSN: null } }, /where in the WAL/],
      [{ start: 1, sentinel: { FilesMetadataDisabled: true } }, /no list of its files/],
      [{ start: 1, sentinel: { SystemIdentifier: 5 } }, /another cluster/],
      [{ start: 1, sentinel: { PgVersion: 160_001 } }, /PostgreSQL 16/],
    ];
    for (const [given, reason] of wrong) refuses(choose([backup('b', given)]), reason, true);
  });

  it('looks at every link, not only at the parent', () => {
    const full = backup('full', { start: 10, sentinel: { FilesMetadataDisabled: true } });
    refuses(choose([full, ...CHAIN.filter(({ name }) => name !== 'full')]), /full has no/, true);
    const bare = backup('full', { start: 10, noMetadata: true });
    const others = CHAIN.filter(({ name }) => name !== 'full');
    refuses(choose([bare, ...others], {}, true), /full has no metadata/, true);
    assert.equal(choose([bare, ...others]).kind, 'delta');
  });

  it('refuses a name that is not there, and a choice that is none', () => {
    const fails = (request: Partial<ParentRequest>, code: 'backup-missing' | 'usage'): void => {
      assert.throws(
        () => choose(CHAIN, request),
        (error) => isTsbkError(error, code),
      );
    };
    fails({ fromName: 'gone' }, 'backup-missing');
    fails({ fromName: 'full', fromUserData: 1 }, 'usage');
    refuses(choose(CHAIN, { fromUserData: 'none has it' }), /user data/, true);
    const twins = ['a', 'b'].map((name) => backup(name, { start: 1, sentinel: { UserData: 7 } }));
    assert.throws(
      () => choose(twins, { fromUserData: 7 }),
      (error) => isTsbkError(error, 'usage') && error.message.includes('a, b'),
    );
  });
});
