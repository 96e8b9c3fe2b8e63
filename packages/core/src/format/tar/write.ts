import type { ByteSource } from '../../ports/bytes.ts';
import { encodeHeader, type TarMember } from './encode-header.ts';
import { paddingBytes, TAR_BLOCK_BYTES } from './header.ts';
import { tarInvalid } from './tar-invalid.ts';

export { encodeHeader, type TarMember };

/** A member and its content, which must be exactly `header.bytes` long. */
export interface TarInput {
  readonly header: TarMember;
  readonly body: ByteSource;
}

/**
 * Writes a tar archive as its members come. Throws `tar-invalid` when a body is longer or shorter
 * than its header says: whoever reads a file that may change pads or cuts it before.
 */
export async function* writeTar(members: AsyncIterable<TarInput>): ByteSource {
  for await (const { header, body } of members) {
    yield encodeHeader(header);
    yield* exactly(header, body);
    const rest = padding(header.bytes);
    if (rest.length > 0) yield rest;
  }
  yield endOfArchive();
}

/** The zeros between a body of this length and the next header; 0 to 511 of them. */
export function padding(bytes: number): Uint8Array {
  return new Uint8Array(paddingBytes(bytes));
}

/** The two blocks of zeros that end an archive. A new array each time, for its consumer to own. */
export function endOfArchive(): Uint8Array {
  return new Uint8Array(2 * TAR_BLOCK_BYTES);
}

async function* exactly(header: TarMember, body: ByteSource): ByteSource {
  let left = header.bytes;
  for await (const chunk of body) {
    if (chunk.length > left) throw lengthDiffers(header, 'more');
    left -= chunk.length;
    if (chunk.length > 0) yield chunk;
  }
  if (left > 0) throw lengthDiffers(header, `${left} bytes less`);
}

function lengthDiffers(header: TarMember, difference: string): Error {
  const problem = `gave ${difference} than the ${header.bytes} bytes it was announced with`;
  return tarInvalid('tar archive', `member ${JSON.stringify(header.name)} ${problem}`);
}
