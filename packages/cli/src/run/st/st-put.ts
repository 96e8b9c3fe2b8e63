import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import { formatSize } from '@tsbk/core/kernel/size';
import { openRepository, type OpenedRepository } from '@tsbk/core/engine/open-repository';
import { noCipher } from '@tsbk/core/cipher/none';
import { codecByName } from '@tsbk/core/codec/codecs';
import { stringifyJson } from '@tsbk/core/format/json';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import { uploadKey, uploadObject } from '@tsbk/core/storage-tools/upload';
import type { CommandContext, Run } from '../../command.ts';

/** `tsbk st put PATH OBJECT` */
export const runStPut: Run = async (context) => {
  const { flags, signal, out } = context;
  const { path, key } = namesOf(context);
  await using opened = await openRepository(context.settings, {
    signal: context.signal,
    report: context.report,
  });
  const repository = asAsked(opened, context);
  const overwrite = flags.on('force') === true;
  if (flags.on('plan') === true) {
    const full = uploadKey(repository, key);
    const there = (await repository.store.stat(full, { signal })) !== undefined;
    const act = there && overwrite ? 'would replace' : 'would write';
    out(there && !overwrite ? `${full} exists: --force replaces it` : `${act} ${full}`);
    return EXIT.ok;
  }
  const source =
    path === undefined ? context.stdin() : await fileSource(resolve(context.cwd, path));
  const receipt = await uploadObject(repository, { key, source, overwrite }, { signal });
  const { plain, stored } = receipt;
  out(
    flags.on('json') === true
      ? stringifyJson({
          key: receipt.key,
          bytes: String(plain.bytes),
          storedBytes: String(stored.bytes),
          sha256: plain.sha256,
        })
      : `${receipt.key}, ${formatSize(plain.bytes)}, stored ${formatSize(stored.bytes)}`,
  );
  return EXIT.ok;
};

function namesOf({ flags, positionals }: CommandContext) {
  const [first = '', second] = positionals;
  if (flags.on('read-stdin') === true) {
    if (second === undefined) return { path: undefined, key: first };
    throw new TsbkError('usage', 'with --read-stdin there is no PATH', {
      hint: 'tsbk st put --read-stdin OBJECT',
    });
  }
  if (second !== undefined) return { path: first, key: second };
  throw new TsbkError('usage', 'st put needs PATH and OBJECT, or --read-stdin and OBJECT');
}

function asAsked(repository: OpenedRepository, { flags }: CommandContext): OpenedRepository {
  return {
    ...repository,
    ...(flags.on('no-compress') === true ? { writeCodec: codecByName('none') } : {}),
    ...(flags.on('no-encrypt') === true ? { cipher: noCipher } : {}),
  };
}

async function fileSource(path: string): Promise<ByteSource> {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isDirectory()) throw new Error('it is a directory');
    return createReadStream('', { fd: file, highWaterMark: 256 * 1024 });
  } catch (error) {
    throw new TsbkError('usage', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
