import { resolve } from 'node:path';
import { EXIT } from '@tsbk/core/kernel/exit';
import { formatSize } from '@tsbk/core/kernel/size';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stringifyJson } from '@tsbk/core/format/json';
import { download } from '@tsbk/core/storage-tools/download';
import { readAny } from '@tsbk/core/storage-tools/read';
import type { Run } from '../../command.ts';

/** `tsbk st get OBJECT PATH` */
export const runStGet: Run = async (context) => {
  const { flags, signal, out, cwd } = context;
  const [key = '', path = ''] = context.positionals;
  await using repository = await openRepository(context.settings, {
    signal: context.signal,
    report: context.report,
  });
  const content = await readAny(repository, key, {
    decrypt: flags.on('no-decrypt') !== true,
    decompress: flags.on('no-decompress') !== true,
    signal,
  });
  const written = await download(content, { key, destination: resolve(cwd, path) });
  out(
    flags.on('json') === true
      ? stringifyJson({ path: written.path, bytes: String(written.bytes) })
      : `${written.path}, ${formatSize(written.bytes)}`,
  );
  return EXIT.ok;
};

/** `tsbk st cat OBJECT` */
export const runStCat: Run = async (context) => {
  const { flags, signal } = context;
  await using repository = await openRepository(context.settings, {
    signal: context.signal,
    report: context.report,
  });
  const content = await readAny(repository, context.positionals[0] ?? '', {
    decrypt: flags.on('decrypt') === true,
    decompress: flags.on('decompress') === true,
    signal,
  });
  for await (const chunk of content) await context.outBytes(chunk);
  return EXIT.ok;
};
