import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toLsn } from '../kernel/lsn.ts';
import { recoverySettings } from './recovery-settings.ts';
import { parseTarget, type RecoveryTarget } from './target.ts';

const settings = (target: RecoveryTarget, standby = false) =>
  recoverySettings({
    target,
    standby,
    timeline: 'latest',
    action: 'pause',
    restoreCommand: 'get %f %p',
  });

const TARGETS: readonly RecoveryTarget[] = [
  { kind: 'latest' },
  { kind: 'immediate' },
  { kind: 'name', name: "it's" },
  { kind: 'xid', xid: 731, inclusive: false },
  { kind: 'lsn', lsn: toLsn(0x500_0060), inclusive: true },
  parseTarget({ time: '2026-11-22 10:00:00.5+01' }, { localZone: 'UTC' }),
];

describe('recoverySettings', () => {
  it('says each kind of target once, and empties the others before it', () => {
    for (const target of TARGETS) {
      const all = settings(target).block.settings.filter(
        ([name]) =>
          name.startsWith('recovery_target') && !/_(?:timeline|inclusive|action)$/.test(name),
      );
      assert.equal(all.length, 5, target.kind);
      assert.equal(new Set(all.map(([name]) => name)).size, 5);
      const set = all.findIndex(([, value]) => value !== '');
      assert.equal(set, target.kind === 'latest' ? -1 : 4, target.kind);
    }
  });

  it('writes targets as PostgreSQL reads them', () => {
    const values = TARGETS.map((target) => settings(target).block.settings).map((all) =>
      all.find(
        ([name, value]) =>
          name.startsWith('recovery_target') && value !== '' && name !== 'recovery_target_timeline',
      ),
    );
    assert.deepEqual(values, [
      undefined,
      ['recovery_target', 'immediate'],
      ['recovery_target_name', "it's"],
      ['recovery_target_xid', '731'],
      ['recovery_target_lsn', '0/5000060'],
      ['recovery_target_time', '2026-11-22 09:00:00.5+00'],
    ]);
  });

  it('says which edge is meant where there is one', () => {
    const edges = TARGETS.map(
      (target) =>
        settings(target).block.settings.find(([name]) => name === 'recovery_target_inclusive')?.[1],
    );
    assert.deepEqual(edges, [undefined, undefined, undefined, 'off', 'on', 'on']);
  });

  it('asks for a standby by the other signal file', () => {
    assert.equal(settings({ kind: 'latest' }).signalFile, 'recovery.signal');
    assert.equal(settings({ kind: 'latest' }, true).signalFile, 'standby.signal');
  });
});
