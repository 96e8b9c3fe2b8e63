/** What `tsbk-archive-get` hands over: the archived content, whole, or nothing. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { getWal as fetchWal } from '@tsbk/core/archive/get';
import { loadRunSettings } from '@tsbk/core/engine/load-run-settings';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { realClock } from './support/clock.ts';
import { askFor, stopsRecovery, type AskingCluster } from './support/get-answers.ts';
import { giveToServerUser } from './support/postgres.ts';
import { sameBytes } from './support/same-bytes.ts';
import type { TsbkRun } from './support/tsbk.ts';
import { serverFolder } from './support/wal-commands.ts';
import { controlContent, segmentContent, segmentName, writeWalFile } from './support/wal-file.ts';
import {
  archiveInAllFlavours,
  WAL_FLAVOURS,
  type FlavouredArchive,
  type WalFlavour,
} from './support/wal-flavours.ts';

type Env = Readonly<Record<string, string>>;

const SEGMENT = segmentName(1);
const NEXT = segmentName(2);
let repository: (flavour: WalFlavour) => FlavouredArchive;

before(async () => {
  repository = await archiveInAllFlavours(SEGMENT);
});

const get = (at: AskingCluster, env: Env, name = SEGMENT): Promise<TsbkRun> =>
  askFor(name, at, env);

describe('tsbk-archive-get hands over nothing but the archived content:', () => {
  for (const flavour of WAL_FLAVOURS) {
    it(`not with a flipped bit or a cut anywhere in ${flavour}`, async () => {
      const { object, env } = repository(flavour);
      const whole = readFileSync(object);
      const expected = segmentContent(SEGMENT);
      const settings = await loadRunSettings({ env, flags: {}, command: 'archive-get' });
      await using opened = await openRepository(settings, {
        signal: new AbortController().signal,
        report: () => {},
        retryBudgetMs: 0,
      });
      const destination = join(serverFolder('fetched'), 'x');
      const { signal } = new AbortController();
      let refused = 0;
      const survives = async (bytes: Uint8Array): Promise<void> => {
        writeFileSync(object, bytes);
        rmSync(destination, { force: true });
        try {
          const request = { name: SEGMENT, destination, patienceMs: 0 };
          const context = { signal, clock: realClock, report: () => {} };
          assert.equal(await fetchWal(opened, request, context), 'fetched');
          sameBytes(readFileSync(destination), expected);
        } catch (error) {
          if (!isTsbkError(error)) throw error;
          refused += 1;
          assert.ok(['object-corrupt', 'wrong-key'].includes(error.code), error.message);
          assert.equal(existsSync(destination), false);
        }
      };
      const spread = Array.from({ length: 60 }, (_, n) => Math.floor((n * whole.length) / 60));
      const edges = Array.from({ length: 24 }, (_, n) => [n, whole.length - 1 - n]).flat();
      const places = [...edges, ...spread];
      for (const [n, place] of places.entries()) {
        const flipped = Buffer.from(whole);
        flipped.writeUInt8(flipped.readUInt8(place) ^ (1 << (n % 8)), place);
        await survives(flipped);
      }
      // A flip that means nothing to a decoder may pass; nearly all must be noticed.
      assert.ok(refused >= places.length - 4, `${refused} of ${places.length}`);
      refused = 0;
      for (const end of [0, 1, 7, 24, whole.length >> 1, whole.length - 4, whole.length - 1]) {
        await survives(whole.subarray(0, end));
      }
      await survives(Buffer.concat([whole, Buffer.alloc(1)]));
      assert.equal(refused, 8);
      writeFileSync(object, whole);
    });
  }

  it('the command answers 200 to a flipped bit, a cut, and a digest of something else', async () => {
    for (const flavour of WAL_FLAVOURS) {
      const { object, env } = repository(flavour);
      const whole = readFileSync(object);
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(flipped.readUInt8(whole.length >> 1) ^ 16, whole.length >> 1);
      for (const bytes of [flipped, whole.subarray(0, -1)]) {
        writeFileSync(object, bytes);
        await stopsRecovery(/\[(?:object-corrupt|wrong-key)\]/, (at) => get(at, env));
      }
      writeFileSync(object, whole);
    }
    const { root, env } = repository('brotli');
    const digest = join(root, `wal_005/${SEGMENT}.brotli.sha256`);
    const text = readFileSync(digest, 'latin1');
    for (const wrong of [`f${text.slice(1)}`, 'x']) {
      writeFileSync(digest, wrong);
      await stopsRecovery(/\[object-corrupt\]/, (at) => get(at, env));
    }
    writeFileSync(digest, text);
  });

  it('the content of another name, of another cluster or of no WAL at all is refused', async () => {
    const root = serverFolder('repository');
    const folder = join(root, 'wal_005');
    mkdirSync(folder);
    giveToServerUser(root);
    const others = {
      'another segment': segmentContent(NEXT),
      'another timeline': segmentContent(SEGMENT, { timeline: 2 }),
      'too short': segmentContent(SEGMENT).subarray(0, 512 * 1024),
      'too long': Buffer.concat([segmentContent(SEGMENT), Buffer.alloc(8192)]),
      'no page': Buffer.alloc(1024 * 1024, 'x'),
      nothing: Buffer.alloc(0),
    };
    for (const content of Object.values(others)) {
      writeWalFile(folder, SEGMENT, content);
      await stopsRecovery(/\[object-corrupt\]/, (at) => get(at, { WALG_FILE_PREFIX: root }));
    }
    writeWalFile(folder, SEGMENT, segmentContent(SEGMENT, { systemId: 42n }));
    await stopsRecovery(/of the cluster with system identifier 42, .*\[wrong-system-id\]/, (at) => {
      const global = join(at.directory, 'global');
      mkdirSync(global);
      writeWalFile(global, 'pg_control', controlContent());
      giveToServerUser(global);
      return get(at, { WALG_FILE_PREFIX: root });
    });
    writeWalFile(folder, '00000002.history', 'no history');
    await stopsRecovery(/\[object-corrupt\]/, (at) =>
      get(at, { WALG_FILE_PREFIX: root }, '00000002.history'),
    );
  });
});
