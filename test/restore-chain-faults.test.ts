/** A chain is restored from an S3 that fails: it comes back right, or there is an error and no directory. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ErrorCode } from '@tsbk/core/kernel/error-codes';
import { isTsbkError, type TsbkError } from '@tsbk/core/kernel/errors';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import { fetchBackup } from '@tsbk/core/restore/fetch';
import { fetchRequest } from './support/fetch-request.ts';
import { keysOf } from './contracts/blob-store/helpers.ts';
import { fakeRepository, type FakeRepository } from './support/fake-repository.ts';
import { treeOf } from './support/file-tree.ts';
import {
  faultsOf,
  looksWhole,
  storeProvenChain,
  type ProvenChain,
} from './support/proven-chain.ts';
import { onModel, patient, type OnModel } from './support/s3-on-model.ts';
import type { Fault, Rule } from './support/s3-model/rules.ts';
import { seeded } from './support/seeded.ts';

const { signal } = new AbortController();
const EVER = 1_000_000;
const ROUNDS = process.env['TSBK_TEST_LONG'] === undefined ? 8 : 300;

/** What an answer or a connection can do; all of it has been seen of real services. */
const FAULTS: readonly Fault[] = [
  { kind: 'status', status: 500, code: 'InternalError' },
  { kind: 'status', status: 503, code: 'SlowDown' },
  { kind: 'foreign-page', status: 502 },
  { kind: 'drop' },
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'trickle' },
  { kind: 'cut-answer', announced: true },
  { kind: 'cut-answer', announced: false },
  { kind: 'error-in-200', code: 'InternalError' },
  { kind: 'empty-answer' },
  { kind: 'corrupt-answer' },
];
/** After which a repetition gives the right answer, whoever looks. */
const TOLD: readonly Fault['kind'][] = [
  'status',
  'foreign-page',
  'drop',
  'reset',
  'hang',
  'trickle',
];
/** In the words of the store, or of what is damaged. */
const CLEAR: readonly ErrorCode[] = [
  'store-unreachable',
  'store-throttled',
  'store-timeout',
  'store-failed',
  'object-truncated',
  'object-corrupt',
  'record-invalid',
  'tar-invalid',
  // "…, or it is damaged": what has no record of its key tells by its first bytes.
  'wrong-key',
];

describe('a chain of three backups on S3', () => {
  let scratch: string;
  let site: FakeRepository;
  let at: OnModel;
  let chain: ProvenChain;
  /** Of everything that the restore may read. */
  let keys: readonly string[];

  before(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'tsbk-chain-faults-'));
    site = fakeRepository(join(scratch, 'repository'));
    chain = await storeProvenChain(site, seeded(7), { files: 12, pages: 40 });
    at = await onModel({ options: { requestTimeoutMs: 300 } });
    for (const { path, kind } of treeOf(site.root)) {
      if (kind === 'file')
        await at.store.put(path, readFileSync(join(site.root, path)), { signal });
    }
    keys = await keysOf(at.store);
  });

  after(async () => {
    await at[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true });
  });

  /** The error with which it failed; `undefined` if it did not. */
  async function restore(
    store: BlobStore,
    destination: string,
    inPlace = false,
  ): Promise<TsbkError | undefined> {
    // Ranges are fetched several at once where objects are larger than such a part.
    const repository = { ...(await site.open()), store, partBytes: 100_000 };
    const request = fetchRequest({ destination, segmentBytes: 1024 * 1024, inPlace });
    const inputs = { repository, lanes: inlineLanes(repository, 2) };
    try {
      await fetchBackup(inputs, request, { signal, report: () => {} });
      return undefined;
    } catch (error) {
      assert.ok(isTsbkError(error), String(error));
      return error;
    }
  }

  /** A restore into a new directory while this happens, and what came of it. */
  async function judge(rule: Rule, attempts: number): Promise<TsbkError | undefined> {
    at.model.addRule(rule);
    const destination = join(scratch, 'restored');
    const what = JSON.stringify({ ...rule, key: rule.key?.source });
    const error = await restore(patient(at.store, attempts), destination);
    at.model.clearRules();
    if (error === undefined) {
      assert.deepEqual(faultsOf(chain, destination), [], what);
    } else {
      assert.ok(CLEAR.includes(error.code), `${what}: ${error.code}: ${error.message}`);
      assert.equal(existsSync(destination), false, what);
    }
    rmSync(destination, { recursive: true, force: true });
    return error;
  }

  const keyPattern = (key: string): RegExp => new RegExp(`${key.replaceAll('.', '\\.')}$`);

  for (const fault of FAULTS) {
    const what = fault.kind === 'status' ? `${fault.status}` : fault.kind;
    const name = `${what}${'announced' in fault && !fault.announced ? ', of no known length' : ''}`;
    it(`comes back, or not at all, while any tar is answered by ${name}`, async () => {
      const tars = /tar_partitions\/part/;
      const once = await judge({ operation: 'GetObject', key: tars, hit: 3, fault }, 6);
      if (TOLD.includes(fault.kind)) assert.equal(once, undefined);
      const ever = await judge(
        { operation: 'GetObject', key: tars, hit: 3, times: EVER, fault },
        2,
      );
      assert.ok(ever !== undefined);
    });
  }

  it('comes back, or not at all, whatever fails whenever', async () => {
    const struck = at.model.struck();
    let failed = 0;
    for (let seed = 1; seed <= ROUNDS; seed += 1) {
      const random = seeded(seed);
      const isAny = random.below(3) === 0;
      const rule = {
        key: isAny ? /^/ : keyPattern(random.pick(keys)),
        hit: isAny ? random.between(1, 50) : 1,
        times: random.pick([1, 2, EVER]),
        fault: random.pick(FAULTS),
      };
      if ((await judge(rule, 3)) !== undefined) failed += 1;
    }
    assert.ok(failed > 0 && failed < ROUNDS, `${failed} of ${ROUNDS} failed`);
    assert.ok(at.model.struck() - struck > ROUNDS / 2);
  });

  it('is not restored from an object that was replaced, with a checksum of its own', async () => {
    for (const name of chain.names) {
      const key = `basebackups_005/${name}/tar_partitions/part_001.tar`;
      const content = readFileSync(join(site.root, key));
      const damaged = Buffer.from(content);
      // In the middle of a page: what frames it stays in order.
      const position = content.length >> 1;
      damaged[position] = (damaged[position] ?? 0) ^ 1;
      await at.store.put(key, damaged, { signal });
      const destination = join(scratch, 'restored');
      const error = await restore(at.store, destination);
      await at.store.put(key, content, { signal });
      assert.equal(error?.code, 'object-corrupt', key);
      assert.ok(error.message.includes(key), error.message);
      assert.equal(existsSync(destination), false);
    }
  });

  it('is brought to its state in a directory that was left half restored', async () => {
    const directory = join(scratch, 'in-place');
    assert.equal(await restore(at.store, directory), undefined);
    for (const path of chain.files.keys()) writeFileSync(join(directory, path), 'other');
    const key = keyPattern(`${chain.names[0]}/tar_partitions/part_003.tar`);
    const fault = { kind: 'status', status: 500, code: 'InternalError' } as const;
    at.model.addRule({ operation: 'GetObject', key, times: EVER, fault });
    const error = await restore(patient(at.store, 2), directory, true);
    at.model.clearRules();
    assert.equal(error?.code, 'store-unreachable');
    assert.equal(looksWhole(directory), false);
    const mark = readFileSync(join(directory, 'tsbk_restore_incomplete'), 'utf8');
    assert.match(mark, /not complete.*\n.*\n.*repeat it with --delta/);
    const without = await restore(at.store, directory);
    assert.equal(without?.code, 'target-not-empty');
    assert.equal(await restore(at.store, directory, true), undefined);
    assert.deepEqual(faultsOf(chain, directory), []);
  });
});
