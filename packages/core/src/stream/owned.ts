import type { ByteStage } from '../ports/bytes.ts';

/** A step that copies: what is lent to it becomes its reader's own. */
export const owned: ByteStage = async function* (source) {
  for await (const chunk of source) yield Uint8Array.from(chunk);
};
