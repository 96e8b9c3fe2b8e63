/**
 * The one type that carries bytes. Pull-driven: nothing is produced before it is asked for, so
 * back-pressure is the default. A yielded chunk belongs to the consumer; the producer never
 * touches it again.
 */
export type ByteSource = AsyncIterable<Uint8Array>;

/** The one shape of a step on the way: codec, cipher, tally, limit. */
export type ByteStage = (source: ByteSource) => ByteSource;
