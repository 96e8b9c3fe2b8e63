import type { ByteSource, ByteStage } from '../ports/bytes.ts';

/** A source of chunks that are already there. */
export async function* sourceOf(...chunks: readonly Uint8Array[]): ByteSource {
  yield* chunks;
}

/** `source` through `stages`, first to last. */
export function pipe(source: ByteSource, ...stages: readonly ByteStage[]): ByteSource {
  let result = source;
  for (const stage of stages) result = stage(result);
  return result;
}
