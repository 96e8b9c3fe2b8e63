import { EXIT } from '@tsbk/core/kernel/exit';
import { formatInstant, type Instant } from '@tsbk/core/kernel/instant';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stringifyJson } from '@tsbk/core/format/json';
import { listFolder, type Listed } from '@tsbk/core/storage-tools/list';
import type { Run } from '../../command.ts';

/** `tsbk st ls`: WAL-G's columns. Lines come as the store gives them, so that any folder can be listed. */
export const runStLs: Run = async (context) => {
  const { flags, signal, outBytes } = context;
  await using repository = await openRepository(context.settings, {
    signal: context.signal,
    report: context.report,
  });
  const recursive = flags.on('recursive') === true;
  const json = flags.on('json') === true;
  const listing = listFolder(repository.store, context.positionals[0] ?? '', { recursive, signal });
  const page = pages(outBytes);
  await page.add(json ? '[' : `${columns('type', 'size', 'last modified', 'name')}\n`);
  let first = true;
  for await (const listed of listing) {
    await page.add(json ? `${first ? '\n' : ',\n'}${jsonOf(listed)}` : `${lineOf(listed)}\n`);
    first = false;
  }
  await page.add(json ? '\n]\n' : '');
  await page.flush();
  return EXIT.ok;
};

const PAGE_CHARACTERS = 64 * 1024;

function pages(write: (bytes: Uint8Array) => Promise<void>) {
  let text = '';
  const flush = async (): Promise<void> => {
    await write(Buffer.from(text));
    text = '';
  };
  return {
    flush,
    add: async (more: string): Promise<void> => {
      text += more;
      if (text.length >= PAGE_CHARACTERS) await flush();
    },
  };
}

function lineOf({ kind, name, bytes, modified }: Listed): string {
  return columns(kind === 'folder' ? 'dir' : 'obj', String(bytes), goTime(modified), name);
}

function columns(type: string, size: string, modified: string, name: string): string {
  return `${type.padEnd(4)} ${size.padEnd(13)} ${modified.padEnd(39)} ${name}`;
}

/** As WAL-G prints times; a folder has none. */
function goTime(instant: Instant | undefined): string {
  if (instant === undefined) return '0001-01-01 00:00:00 +0000 UTC';
  return `${formatInstant(instant).replace('T', ' ').replace('Z', '')} +0000 UTC`;
}

function jsonOf({ kind, name, bytes, modified }: Listed): string {
  const time = modified === undefined ? null : formatInstant(modified);
  return stringifyJson({ kind, name, bytes: String(bytes), modified: time });
}
