import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { giveToServerUser } from './postgres.ts';
import { serverFolder } from './wal-commands.ts';
import { segmentContent, segmentName, writeWalFile } from './wal-file.ts';

/** What archive_command sees of a data directory: WAL, and the server's marks of what is to be archived. */
export interface ReadyDirectory {
  readonly path: string;
  readonly wal: string;
  /** Folder of what is remembered. */
  readonly pushed: string;
  /** Puts a WAL file there and marks it, as a server does. Gives its path. */
  add(name: string, content?: Uint8Array | string): string;
  /** Names of the marks, sorted. */
  marks(): string[];
  /** Names of what is remembered, sorted; of temporary files too. */
  remembered(): string[];
}

/** A data directory with `count` segments of 1 MiB that are ready. */
export function readyDirectory(count: number): ReadyDirectory {
  const path = serverFolder('data');
  const wal = join(path, 'pg_wal');
  const status = join(wal, 'archive_status');
  for (const folder of [wal, status, join(path, 'pg_stat_tmp')]) {
    mkdirSync(folder, { mode: 0o700 });
    giveToServerUser(folder);
  }
  const pushed = join(path, 'pg_stat_tmp/tsbk/pushed');
  const add = (name: string, content: Uint8Array | string = segmentContent(name)): string => {
    writeWalFile(status, `${name}.ready`, '');
    return writeWalFile(wal, name, content);
  };
  for (let number = 1; number <= count; number += 1) add(segmentName(number));
  return {
    path,
    wal,
    pushed,
    add,
    marks: () => readdirSync(status).sort(),
    remembered: () => readdirSync(pushed).sort(),
  };
}
