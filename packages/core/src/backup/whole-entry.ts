import type { DataFile } from '../cluster/data-directory.ts';
import { crc32c } from '../format/crc32c.ts';
import { encodeHeader, padding } from '../format/tar/write.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { ReadMember } from '../ports/files.ts';
import { tarHeaderOf } from '../repository/new-backup/canonical.ts';
import { pageCheck } from './page-check.ts';
import { readChunks, type FileContext } from './read-chunks.ts';
import { sourceMember } from './source-member.ts';

/**
 * The tar entry of a file with all its content, in the length that it had when it was opened.
 * `again`: its bytes have been told of already.
 */
export async function* wholeEntry(
  file: DataFile,
  context: FileContext,
  { again = false, contradicts = false } = {},
): ByteSource {
  const { path, batches, verifyBefore } = context;
  const check = verifyBefore === undefined ? undefined : pageCheck(path, file, verifyBefore);
  yield fileHeader(file, context, file.bytes);
  let crc = 0;
  for await (const chunk of readChunks(file, context, check)) {
    crc = crc32c(chunk, crc);
    if (!again) batches.read(chunk.length);
    yield chunk;
  }
  yield* paddingOf(file.bytes);
  const member = wholeMember(file, context, crc);
  batches.member(contradicts ? { ...member, contradicts } : member, check?.damage());
}

/** The header of an entry with a payload of `bytes` bytes for this file. */
export function fileHeader(
  { facts }: DataFile,
  { path }: Pick<FileContext, 'path'>,
  bytes: number,
): Uint8Array {
  return encodeHeader(tarHeaderOf(sourceMember('file', path, { ...facts, bytes })));
}

/** What follows a payload of `bytes` bytes. */
export function* paddingOf(bytes: number): Generator<Uint8Array, void, undefined> {
  const pad = padding(bytes);
  if (pad.length > 0) yield pad;
}

/** What is told of a file that went whole into the tar. */
export function wholeMember(
  { bytes, facts: { modified } }: DataFile,
  { path }: Pick<FileContext, 'path'>,
  crc: number,
): ReadMember {
  return { kind: 'file', path, content: 'whole', fileBytes: bytes, bytes, modified, crc };
}
