import { readFileSync } from 'node:fs';

/** An entry as it stands in a tar, read without any of tsbk's code. */
export interface TarEntry {
  readonly name: string;
  /** `0` a file, `5` a folder, `2` a link. */
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly modified: number;
  readonly content: Buffer;
}

const BLOCK = 512;

/** Reads a ustar archive, with names in pax headers where there are any. */
export function readTar(path: string): TarEntry[] {
  const bytes = readFileSync(path);
  const entries: TarEntry[] = [];
  let at = 0;
  let paxName: string | undefined;
  while (at < bytes.length && bytes[at] !== 0) {
    const header = bytes.subarray(at, at + BLOCK);
    const text = (from: number, to: number): string =>
      header.toString('utf8', from, to).replace(/\0.*$/s, '');
    const number = (from: number, to: number): number => Number.parseInt(text(from, to), 8);
    const size = number(124, 136);
    const content = bytes.subarray(at + BLOCK, at + BLOCK + size);
    const type = text(156, 157);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x') {
      paxName = /^\d+ path=(.*)$/m.exec(content.toString('utf8'))?.[1];
      continue;
    }
    const prefix = text(345, 500);
    entries.push({
      name: paxName ?? (prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`),
      type,
      mode: number(100, 108),
      uid: number(108, 116),
      gid: number(116, 124),
      modified: number(136, 148),
      content,
    });
    paxName = undefined;
  }
  const end = bytes.subarray(at);
  if (end.length < 2 * BLOCK || end.some((byte) => byte !== 0))
    throw new Error(`${path} has no end`);
  return entries;
}
