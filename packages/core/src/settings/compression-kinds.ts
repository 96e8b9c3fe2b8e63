import { accept, reject, type Kind } from './kinds.ts';

/** Formats that new objects can have. */
export const WRITABLE_METHODS = ['lz4', 'zstd', 'brotli', 'none'] as const;
export type CompressionMethod = (typeof WRITABLE_METHODS)[number];

/** `lzma` is understood, and refused: tsbk reads it and does not write it. */
export const compressionMethod: Kind<CompressionMethod> = {
  name: `one of ${WRITABLE_METHODS.map((method) => `\`${method}\``).join(', ')}`,
  parse: (text) => {
    const method = WRITABLE_METHODS.find((candidate) => candidate === text.toLowerCase());
    if (method !== undefined) return accept(method);
    const expected = `one of ${WRITABLE_METHODS.join(', ')}`;
    return text.toLowerCase() === 'lzma'
      ? { ok: false, expected: `${expected}: lzma can only be read`, unsupported: true }
      : reject(expected);
  },
  format: (value) => value,
};

/** WAL-G's words and the library levels they stand for. */
const ZSTD_WORDS: Readonly<Record<string, number>> = {
  fastest: 1,
  default: 3,
  better: 7,
  best: 11,
};

/** A zstd level: 1 to 19, or one of WAL-G's words. */
export const zstdLevel: Kind<number> = {
  name: '1 to 19, or one of `fastest`, `default`, `better`, `best`',
  parse: (text) => {
    const level = /^\d{1,2}$/.test(text) ? Number(text) : ZSTD_WORDS[text.toLowerCase()];
    return level !== undefined && level >= 1 && level <= 19
      ? accept(level)
      : reject('a level from 1 to 19, or one of fastest, default, better, best');
  },
  format: String,
};
