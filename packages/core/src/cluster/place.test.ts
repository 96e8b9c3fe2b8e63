import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { sourceOf } from '../stream/source.ts';
import { createPlacer, type Placer } from './place.ts';
import { treePath } from '../format/tree-path.ts';

let scratch: string;
let root: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-place-'));
  root = join(scratch, 'data');
  mkdirSync(root, { mode: 0o700 });
});

afterEach(() => rmSync(scratch, { recursive: true }));

const { signal } = new AbortController();

function placer(tablespaces: Readonly<Record<string, string>> = {}, fsync = true): Placer {
  return createPlacer({ root, tablespaces: new Map(Object.entries(tablespaces)), fsync, signal });
}

const text = (content: string): ByteSource => sourceOf(Buffer.from(content));
const modeOf = (path: string): number => statSync(join(root, path)).mode & 0o7777;

describe('a placer', () => {
  it('makes files, their parents and modes', async () => {
    const place = placer();
    await place.directory(treePath('base'), 0o750);
    await place.file(treePath('base/1/2'), 0o640, text('two'));
    await place.file(treePath('PG_VERSION'), 0o600, text('17\n'));
    await place.finish();
    assert.equal(readFileSync(join(root, 'base/1/2'), 'utf8'), 'two');
    assert.deepEqual([modeOf('base'), modeOf('base/1'), modeOf('base/1/2')], [0o750, 0o700, 0o640]);
  });

  it('writes what comes in chunks of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 100_000 })), async (chunks) => {
        const place = placer({}, false);
        const path = treePath(`f${Math.random()}`);
        await place.file(path, 0o600, sourceOf(...chunks));
        await place.finish();
        assert.deepEqual(readFileSync(join(root, path)), Buffer.concat(chunks));
      }),
      { numRuns: 20 },
    );
  });

  it('drops set-id bits', async () => {
    const place = placer();
    await place.directory(treePath('d'), 0o6755);
    await place.file(treePath('d/f'), 0o6755, text(''));
    await place.finish();
    assert.deepEqual([modeOf('d'), modeOf('d/f')], [0o755, 0o755]);
  });

  it('fills directories that forbid writing', async () => {
    const place = placer();
    await place.directory(treePath('d'), 0o500);
    await place.file(treePath('d/f'), 0o400, text('x'));
    await place.finish();
    assert.deepEqual([modeOf('d'), modeOf('d/f')], [0o500, 0o400]);
  });

  it('writes names byte for byte', async () => {
    const place = placer();
    const name = Buffer.from('h\xe9\nll\\o', 'latin1');
    await place.file(treePath('?', name), 0o600, text('x'));
    await place.finish();
    assert.deepEqual(readdirSync(root, { encoding: 'buffer' }), [name]);
  });

  it('takes the first of two copies of a file', async () => {
    const place = placer();
    assert.equal(await place.file(treePath('f'), 0o600, text('first')), true);
    assert.equal(await place.file(treePath('/f'), 0o600, text('second')), false);
    await place.finish();
    assert.equal(readFileSync(join(root, 'f'), 'utf8'), 'first');
  });

  it('fills one tree together with others, of which exactly one makes each file', async () => {
    const places = [placer(), placer(), placer()];
    const paths = Array.from({ length: 50 }, (_, index) => treePath(`d${index % 7}/e/${index}`));
    const made = await Promise.all(
      places.flatMap((place) => paths.map((path) => place.file(path, 0o600, text(path)))),
    );
    assert.equal(made.filter(Boolean).length, paths.length);
    for (const path of paths) assert.equal(readFileSync(join(root, path), 'utf8'), path);
  });

  it('finishes what others have made', async () => {
    const [one, other] = [placer(), placer()];
    await one.directory(treePath('d'), 0o500);
    await one.file(treePath('d/e/f'), 0o600, text('x'));
    one.link(treePath('d/link'), 'e/f');
    await one.flush();
    assert.equal(modeOf('d'), 0o700);
    other.adopt(structuredClone(one.made()));
    await other.finish();
    assert.deepEqual([modeOf('d'), modeOf('d/e')], [0o500, 0o700]);
    assert.equal(readlinkSync(join(root, 'd/link')), 'e/f');
  });

  it('puts files of tablespaces into their directories, and links there', async () => {
    const location = join(scratch, 'ts');
    mkdirSync(location);
    const place = placer({ 16400: location });
    await place.directory(treePath('pg_tblspc/16400/PG_17_1'), 0o700);
    await place.file(treePath('pg_tblspc/16400/PG_17_1/5/1'), 0o600, text('x'));
    await place.file(treePath('pg_tblspc/99/5'), 0o600, text('in place'));
    place.link(treePath('pg_tblspc/16400'), location);
    await place.finish();
    assert.equal(readFileSync(join(location, 'PG_17_1/5/1'), 'utf8'), 'x');
    assert.equal(readlinkSync(join(root, 'pg_tblspc/16400')), location);
    assert.equal(readFileSync(join(root, 'pg_tblspc/99/5'), 'utf8'), 'in place');
  });

  it('never overwrites a file that appeared', async () => {
    writeFileSync(join(root, 'f'), 'not ours');
    assert.equal(await placer().file(treePath('f'), 0o600, text('x')), false);
    assert.equal(readFileSync(join(root, 'f'), 'utf8'), 'not ours');
  });

  it('never writes through a link that appeared', async () => {
    const outside = join(scratch, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, join(root, 'base'));
    symlinkSync(join(outside, 'f'), join(root, 'f'));
    const isRefused = (error: unknown): boolean => isTsbkError(error, 'restore-failed');
    await assert.rejects(placer().file(treePath('base/1'), 0o600, text('x')), isRefused);
    await assert.rejects(placer().directory(treePath('base/2'), 0o700), isRefused);
    assert.equal(await placer().file(treePath('f'), 0o600, text('x')), false);
    assert.deepEqual(readdirSync(outside), []);
  });

  it('refuses a directory where a file is', async () => {
    const place = placer();
    await place.file(treePath('a'), 0o600, text('x'));
    await assert.rejects(place.file(treePath('a/b'), 0o600, text('x')), /cannot write .*\/a/);
    await place.abandon();
  });

  it('makes links only when everything else is in place', async () => {
    const place = placer();
    place.link(treePath('conf/link'), '../f');
    assert.equal(existsSync(join(root, 'conf')), false);
    await place.finish();
    assert.equal(readlinkSync(join(root, 'conf/link')), '../f');
  });

  it('gives back what its source throws', async () => {
    const broken = async function* (): ByteSource {
      yield Buffer.from('x');
      throw new Error('the source broke');
    };
    const place = placer();
    await assert.rejects(place.file(treePath('f'), 0o600, broken()), /the source broke/);
    await place.abandon();
  });

  it('writes over a file, whatever lay there, only the pages that differ', async () => {
    const PAGE = 8192;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'b'), { maxLength: 8 }),
        fc.array(fc.constantFrom('a', 'b'), { maxLength: 8 }),
        fc.record({ tail: fc.nat(100), chunk: fc.integer({ min: 1000, max: 20_000 }) }),
        async (old, pages, { tail, chunk }) => {
          const contentOf = (texts: readonly string[]) =>
            Buffer.concat(texts.map((letter) => Buffer.alloc(PAGE, letter)));
          const content = Buffer.concat([contentOf(pages), Buffer.alloc(tail, 'c')]);
          writeFileSync(join(root, 'f'), contentOf(old));
          const chunks: Buffer[] = [];
          for (let at = 0; at < content.length; at += chunk) {
            chunks.push(content.subarray(at, at + chunk));
          }
          const place = placer({}, false);
          const written = await place.replace(treePath('f'), 0o640, sourceOf(...chunks));
          await place.finish();
          assert.ok(readFileSync(join(root, 'f')).equals(content));
          assert.equal(modeOf('f'), 0o640);
          const same = pages.filter((letter, index) => old[index] === letter).length;
          // Chunks that end within a page are compared as they are.
          assert.ok(written <= content.length - same * PAGE);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('writes over nothing that is a link, or not there', async () => {
    const outside = join(scratch, 'outside');
    writeFileSync(outside, 'not ours');
    symlinkSync(outside, join(root, 'link'));
    const place = placer();
    for (const path of ['link', 'absent']) {
      await assert.rejects(place.replace(treePath(path), 0o600, text('evil')), (error) =>
        isTsbkError(error, 'restore-failed'),
      );
    }
    assert.equal(readFileSync(outside, 'utf8'), 'not ours');
    assert.deepEqual(readdirSync(root), ['link']);
  });
});
