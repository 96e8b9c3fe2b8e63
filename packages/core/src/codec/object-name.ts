import { EXTENSIONS } from './codecs.ts';

/** The name of an object without its codec's extension, and that extension. */
export interface ObjectName {
  readonly base: string;
  /** Without the dot; empty for objects that are not compressed. */
  readonly extension: string;
}

/** Of old WAL-G objects that no codec here reads: better named than taken for a plain object. */
const FOREIGN_EXTENSION = 'lzo';

/**
 * Takes `part_001.tar.lz4` apart. Only extensions of codecs count: `00000002.history` has none.
 * WAL-G 3.0.8 wrote uncompressed objects with a dangling dot (`part_001.tar.`); the dot belongs to
 * neither part. `name` may be a whole key.
 */
export function splitObjectName(name: string): ObjectName {
  const dot = name.lastIndexOf('.');
  const last = name.slice(dot + 1);
  const isExtension = dot > name.lastIndexOf('/') && isKnown(last);
  return isExtension
    ? { base: name.slice(0, dot), extension: last }
    : { base: name, extension: '' };
}

function isKnown(extension: string): boolean {
  return extension === FOREIGN_EXTENSION || EXTENSIONS.some((known) => known === extension);
}
