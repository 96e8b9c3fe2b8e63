import type { LaneWriter, Receipt } from '../ports/lanes.ts';
import { createPart } from '../repository/write-object.ts';
import type { Repository } from '../repository/repository.ts';
import { SlabReader } from './slab-reader.ts';
import { SlabWriter } from './slab-writer.ts';

/** A block of the fastest codec, which then compresses it where it lies. */
const SLAB_BYTES = 256 * 1024;
const SLABS = 4;

/**
 * The writer of an object that is made in the calling thread, whenever that gets to it. It may begin
 * when `turn` lets it.
 */
export function inlineWriter(
  repository: Repository,
  key: string,
  options: {
    readonly turn: (work: () => Promise<Receipt>) => Promise<Receipt>;
    readonly signal: AbortSignal;
  },
): LaneWriter {
  const given = new AbortController();
  const signal = AbortSignal.any([options.signal, given.signal]);
  const make = async (writer: SlabWriter): Promise<Receipt> => {
    signal.throwIfAborted();
    const slabs = Array.from({ length: SLABS }, () => new SharedArrayBuffer(SLAB_BYTES));
    const reader = new SlabReader(slabs, (slab) => writer.credit(slab));
    const onAbort = (): void => reader.hear({ kind: 'fail', error: signal.reason });
    signal.addEventListener('abort', onAbort, { once: true });
    writer.attach(slabs, (order) => {
      if (order.kind === 'chunk' || order.kind === 'end') reader.hear(order);
    });
    try {
      return await createPart(repository, { key, source: reader.source }, { signal });
    } finally {
      signal.removeEventListener('abort', onAbort);
      writer.detach();
    }
  };
  return new SlabWriter(
    (writer) => options.turn(() => make(writer)),
    (error) => given.abort(error),
  );
}
