/** What becomes of a delta that its source refuses: another source, a full backup, or an error. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import type { DeltaDecision, DeltaWish } from '@tsbk/core/backup/decide-delta';
import { openDelta, type OpenedBackup } from '@tsbk/core/backup/open-delta';
import type { DeltaSource } from '@tsbk/core/backup/parent';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import type { ErrorCode } from '@tsbk/core/kernel/error-codes';
import { isTsbkError, TsbkError } from '@tsbk/core/kernel/errors';
import { toInstant } from '@tsbk/core/kernel/instant';
import { toLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import type { BackupSource, StreamBackup } from '@tsbk/core/ports/backup-source';
import { collect } from '@tsbk/core/stream/collect';
import { fakeRepository, type FakeRepository } from './support/fake-repository.ts';

const root = mkdtempSync(join(tmpdir(), 'tsbk-open-delta-'));
const { signal } = new AbortController();
after(() => rmSync(root, { recursive: true, force: true }));

const START = toLsn(0x500_0028n);
const STOP = toLsn(0x500_0100n);
const AFTER = toLsn(0x600_0028n);

let site: FakeRepository;
let name: string;
/** What was asked of the server: whether it was to be incremental. */
let asked: boolean[];
/** Backups that were begun and not given back. */
let open: number;
let warnings: string[];

beforeEach(async () => {
  site = fakeRepository(mkdtempSync(join(root, 'site-')));
  const moments = { startTime: toInstant(0n), finishTime: toInstant(1n) };
  const filesMetadata = { Files: { '/base/5/1': {} }, TarFileSets: {} };
  name = site.backup({ startLsn: START, stopLsn: STOP, ...moments, filesMetadata });
  const manifest = formatManifest({ files: [], systemId: undefined, walRanges: [] });
  const bytes = await collect(manifest, { maxBytes: 1e6, what: 'manifest' });
  site.put(`basebackups_005/${name}/backup_manifest`, bytes);
  asked = [];
  open = 0;
  warnings = [];
});

function wish(source: DeltaSource, others: readonly DeltaSource[]): DeltaDecision {
  const key = `basebackups_005/${name}/backup_manifest`;
  const parent = {
    name,
    segment: name.slice(5),
    link: { from: name, fullName: name, lsn: START, count: 1 },
    startLsn: START,
    stopLsn: STOP,
    timeline: 1,
    chain: [name],
    manifest: { key, extension: '', record: undefined },
  };
  return { kind: 'delta', delta: { parent, source }, reason: 'it is cheap', others };
}

interface Given {
  /** With which the server answers to a manifest. */
  readonly refusal?: ErrorCode;
  /** Where it begins. */
  readonly startLsn?: Lsn;
  readonly timeline?: number;
}

function server({ refusal, startLsn = AFTER, timeline = 1 }: Given): BackupSource<StreamBackup> {
  return {
    open: async ({ sinceManifest }) => {
      asked.push(sinceManifest !== undefined);
      if (sinceManifest !== undefined) {
        await collect(sinceManifest, { maxBytes: 1e6, what: 'manifest' });
        if (refusal !== undefined) throw new TsbkError(refusal, 'the server will not');
      }
      open += 1;
      return {
        kind: 'stream',
        start: { startLsn, timeline, tablespaces: [] },
        items: () => assert.fail('nothing is read'),
        end: () => assert.fail('nothing is read'),
        [Symbol.asyncDispose]: async () => void (open -= 1),
      };
    },
  };
}

/** By the server or, under `auto`, by the stream. */
async function begin(
  given: Given,
  others: readonly DeltaSource[] = ['stream'],
  { source = 'server', fallback = 'full' }: { source?: DeltaSource } & Partial<DeltaWish> = {},
): Promise<OpenedBackup> {
  const request = { label: 'x', checkpoint: 'fast', verifyChecksums: true } as const;
  return await openDelta(
    { repository: await site.open(), source: server(given) },
    { ...request, decision: wish(source, others), fallback },
    {
      signal,
      report: (event) => void (event.kind === 'warning' && warnings.push(event.code, event.text)),
    },
  );
}

describe('a delta that a server makes', () => {
  it('is one by the server if nothing is in the way', async () => {
    const { delta, reason } = await begin({});
    assert.equal(delta?.source, 'server');
    assert.equal(reason, 'it is cheap');
    assert.deepEqual([asked, warnings], [[true], []]);
  });

  it('goes on by the pages where the server refuses the way, and says why', async () => {
    for (const fallback of ['full', 'fail'] as const) {
      const { delta, reason } = await begin({ refusal: 'delta-refused' }, ['stream'], { fallback });
      assert.equal(delta?.source, 'stream');
      assert.ok(delta.known !== undefined);
      assert.equal(reason, 'the server will not');
    }
    assert.deepEqual(asked, [true, false, true, false]);
    const said = ['delta-source', 'changes found in the stream instead: the server will not'];
    assert.deepEqual(warnings, [...said, ...said]);
    assert.equal(open, 2);
  });

  it('is full where that was the only source, or an error', async () => {
    const { delta } = await begin({ refusal: 'delta-refused' }, []);
    assert.equal(delta, undefined);
    assert.deepEqual(warnings, ['delta-refused', 'full backup instead: the server will not']);
    await assert.rejects(
      begin({ refusal: 'delta-refused' }, [], { fallback: 'fail' }),
      (error) => isTsbkError(error, 'delta-refused') && error.message === 'the server will not',
    );
  });

  it('is full, and by no other source, where the server refuses the parent', async () => {
    const { delta, reason } = await begin({ refusal: 'parent-refused' });
    assert.equal(delta, undefined);
    assert.equal(reason, 'the server will not');
    assert.deepEqual(asked, [true, false]);
    assert.equal(warnings[0], 'delta-refused');
    const refused = begin({ refusal: 'parent-refused' }, ['stream'], { fallback: 'fail' });
    await assert.rejects(refused, (error) => isTsbkError(error, 'parent-refused'));
  });

  it('is full where the pages cannot be told from those of the parent either', async () => {
    for (const [given, problem] of [
      [{ startLsn: START }, /^the server will not, and .* ends at 0\/5000100, and this backup/],
      [{ timeline: 2 }, /^the server will not, and .* the archive has no history of 2$/],
    ] as const) {
      const { delta, reason } = await begin({ refusal: 'delta-refused', ...given });
      assert.equal(delta, undefined);
      assert.match(reason, problem);
      assert.deepEqual([warnings.at(0), warnings.at(2)], ['delta-source', 'delta-refused']);
      warnings = [];
    }
    // The one that was begun by the pages is taken.
    assert.deepEqual(asked, [true, false, true, false]);
    assert.equal(open, 2);
    const given = { refusal: 'delta-refused', startLsn: START } as const;
    await assert.rejects(
      begin(given, ['stream'], { fallback: 'fail' }),
      (error) => isTsbkError(error, 'delta-refused') && /not, and .* ends at/.test(error.message),
    );
    assert.equal(open, 2);
  });

  it('is full where the records of the parent are damaged', async () => {
    for (const [record, content] of [
      [`${name}/backup_manifest`, '{ "Files": [\n'],
      [`${name}/files_metadata.json`, '{'],
    ] as const) {
      site.put(`basebackups_005/${record}`, content);
      const { delta } = await begin({});
      assert.equal(delta, undefined);
      assert.equal(warnings[0], 'delta-refused');
      const refused = begin({}, ['stream'], { fallback: 'fail' });
      await assert.rejects(refused, (error) => isTsbkError(error, 'record-invalid'));
    }
  });

  it('fails where it is no refusal', async () => {
    const failed = begin({ refusal: 'connection-lost' });
    await assert.rejects(failed, (error) => isTsbkError(error, 'connection-lost'));
    assert.deepEqual([asked, open], [[true], 0]);
  });
});
