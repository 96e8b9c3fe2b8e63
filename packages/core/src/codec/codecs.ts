import type { ByteStage } from '../ports/bytes.ts';
import type { Codec, CodecName } from '../ports/codec.ts';
import { owned } from '../stream/owned.ts';

const ZSTD_LEVEL_DEFAULT = 3;

/**
 * Extensions under which a WAL file is looked for, in this order: what tsbk and WAL-G write most
 * first, because each miss is a request.
 */
export const EXTENSIONS = ['lz4', 'zst', 'br', '', 'lzma', 'gz'] as const;

/**
 * The codec of that name. Only the code of the format that is used gets loaded, when it is used.
 * `zstdLevel` is a level of libzstd, 1 to 19.
 */
export function codecByName(
  name: CodecName,
  { zstdLevel = ZSTD_LEVEL_DEFAULT }: { readonly zstdLevel?: number | undefined } = {},
): Codec {
  switch (name) {
    case 'lz4':
      return {
        name,
        extension: 'lz4',
        compress: onDemand(async () => (await import('./lz4/compress.ts')).lz4Compress),
        decompress: onDemand(async () => (await import('./lz4/decompress.ts')).lz4Decompress),
        decompressHashed: onDemand(
          async () => (await import('./lz4/decompress.ts')).lz4DecompressHashed,
        ),
      };
    case 'zstd':
      return {
        name,
        extension: 'zst',
        compress: onDemand(async () =>
          (await import('./zstd/compress.ts')).zstdCompress(zstdLevel),
        ),
        decompress: onDemand(async () => (await import('./zstd/decompress.ts')).zstdDecompress),
      };
    case 'brotli':
      return {
        name,
        extension: 'br',
        compress: onDemand(async () => (await import('./brotli.ts')).brotliCompress),
        decompress: onDemand(async () => (await import('./brotli.ts')).brotliDecompress),
      };
    case 'none':
      return { name, extension: '', compress: owned, decompress: asItIs };
    case 'gzip':
      return {
        name,
        extension: 'gz',
        decompress: onDemand(async () => (await import('./gzip.ts')).gzipDecompress),
      };
    case 'lzma':
      return {
        name,
        extension: 'lzma',
        decompress: onDemand(async () => {
          const { lzmaDecompress } = await import('./lzma/decompress.ts');
          // It has use for the end of a chunk when it has the next one.
          return (source) => lzmaDecompress(owned(source));
        }),
      };
  }
}

const NAMES: Readonly<Record<string, CodecName>> = {
  lz4: 'lz4',
  zst: 'zstd',
  br: 'brotli',
  '': 'none',
  gz: 'gzip',
  lzma: 'lzma',
};

/** The codec of objects with this extension (without the dot), `undefined` if there is none. */
export function codecByExtension(extension: string): Codec | undefined {
  const name = Object.hasOwn(NAMES, extension) ? NAMES[extension] : undefined;
  return name === undefined ? undefined : codecByName(name);
}

/** A stage that loads its code when its consumer first asks for bytes. */
function onDemand(load: () => Promise<ByteStage>): ByteStage {
  return async function* (source) {
    const stage = await load();
    yield* stage(source);
  };
}

const asItIs: ByteStage = (source) => source;
