import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codecByName } from '@tsbk/core/codec/codecs';
import { parseWalFileName } from '@tsbk/core/kernel/wal-file';
import { sourceOf } from '@tsbk/core/stream/source';
import type { BreakableStore } from './breakable-store.ts';

/** What an archive is held against. */
export interface ArchiveSite {
  readonly store: BreakableStore;
  readonly acknowledged: ReadonlySet<string>;
  /** SHA-256 of what the server offered, by name. */
  readonly offered: ReadonlyMap<string, string>;
  /** Of the server that archives. */
  readonly dataDir: string;
  /** What each object was written as when it was compared; added to. */
  readonly seen: Map<string, string>;
}

/**
 * Holds every object of the archive against the server's own files, and every acknowledged file
 * against the archive. Returns how many files were compared.
 */
export async function checkArchive(site: ArchiveSite): Promise<number> {
  // First: what counts as archived now must be among the objects that are listed later.
  const done = doneFiles(site.dataDir);
  const names = new Set<string>();
  let compared = 0;
  for (const [object, { body, writtenAs }] of site.store.walObjects()) {
    const name = nameIn(object);
    if (name === undefined) continue;
    names.add(name);
    const before = site.seen.get(object) ?? writtenAs;
    assert.equal(writtenAs, before, `${object} was replaced in the archive`);
    if (!site.seen.has(object) && (await matches(site, object, name, body))) {
      site.seen.set(object, writtenAs);
    }
    compared += 1;
  }
  for (const object of site.seen.keys()) {
    assert.ok(names.has(nameIn(object) ?? ''), `${object} is gone from the archive`);
  }
  for (const name of site.acknowledged) {
    assert.ok(names.has(name), `${name} was acknowledged and is not in the archive`);
  }
  for (const name of done) {
    assert.ok(
      names.has(name),
      `${name} counts as archived on the server and is not in the archive`,
    );
  }
  return compared;
}

/** The WAL file that an object holds; `undefined` of what is beside it. Throws for what nobody knows. */
function nameIn(object: string): string | undefined {
  if (object.endsWith('.sha256')) return undefined;
  const name = object.replace(/\.lz4$/, '');
  if (parseWalFileName(name) !== undefined) return name;
  throw new Error(`wal_005 holds ${object}`);
}

/** Whether there was something to compare with; throws if it differs. */
async function matches(
  site: ArchiveSite,
  object: string,
  name: string,
  stored: Buffer,
): Promise<boolean> {
  const expected = site.offered.get(name) ?? sumOfFile(join(site.dataDir, 'pg_wal', name));
  if (expected === undefined) return false;
  assert.equal(
    await plainSum(object, stored),
    expected,
    `${object} does not hold what the server has`,
  );
  return true;
}

function sumOfFile(path: string): string | undefined {
  return existsSync(path) ? hash('sha256', readFileSync(path)) : undefined;
}

async function plainSum(object: string, stored: Buffer): Promise<string> {
  const codec = codecByName(object.endsWith('.lz4') ? 'lz4' : 'none');
  const chunks: Uint8Array[] = [];
  for await (const chunk of codec.decompress(sourceOf(stored))) chunks.push(chunk.slice());
  return hash('sha256', Buffer.concat(chunks));
}

function doneFiles(dataDir: string): string[] {
  const marks = archiveStatus(dataDir).filter((name) => name.endsWith('.done'));
  return marks.map((name) => name.slice(0, -'.done'.length));
}

/** How many files the server has to archive yet. */
export function backlogOf(dataDir: string): number {
  return archiveStatus(dataDir).filter((name) => name.endsWith('.ready')).length;
}

function archiveStatus(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'pg_wal/archive_status'));
}

/** What lies in `pg_wal` and is neither PostgreSQL's nor the mark of a restored directory. */
export function strangersIn(dataDir: string): string[] {
  const own =
    /^(archive_status|summaries|xlogtemp\.\d+|RECOVERYXLOG|RECOVERYHISTORY|tsbk_restore\.json)$/;
  return readdirSync(join(dataDir, 'pg_wal')).filter(
    (name) => !own.test(name) && parseWalFileName(name) === undefined,
  );
}
