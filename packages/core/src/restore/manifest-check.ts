import { createHash, type Hash } from 'node:crypto';
import { TsbkError } from '../kernel/errors.ts';
import { crc32c, crc32cHex } from '../format/crc32c.ts';
import { readManifest, type ManifestFile } from '../format/manifest.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { openVerified, type PromisedObject } from '../repository/open-verified.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { printable, treePath, type TreePath } from '../cluster/tree-path.ts';

/** What PostgreSQL's manifest says of the files of a backup, held against what is restored. */
export interface ManifestCheck {
  /**
   * The same content, failing at its end with `object-corrupt` if length or checksum are not the
   * manifest's. A file that the manifest does not list passes.
   */
  content(path: TreePath, body: ByteSource): ByteSource;
  /** A file of the manifest that has not come; `undefined` when all have. */
  missing(): string | undefined;
}

type Expected = Pick<ManifestFile, 'bytes' | 'checksum' | 'checksumAlgorithm'>;

/** Reads a backup's manifest. Throws `record-invalid` and what `openVerified` throws. */
export async function readManifestCheck(
  repository: Repository,
  manifest: PromisedObject,
  { signal }: RunOptions,
): Promise<ManifestCheck> {
  const expected = new Map<TreePath, Expected>();
  const source = await openVerified(repository, manifest, { signal });
  await readManifest(source, {
    what: manifest.key,
    onFile: ({ path, rawPath, bytes, checksum, checksumAlgorithm }) => {
      expected.set(treePath(path, rawPath), { bytes, checksum, checksumAlgorithm });
    },
  });
  return {
    content: (path, body) => {
      const wanted = expected.get(path);
      expected.delete(path);
      return wanted === undefined ? body : checked(path, body, wanted);
    },
    missing: () => {
      const [path] = expected.keys();
      return path === undefined ? undefined : printable(path);
    },
  };
}

async function* checked(path: TreePath, body: ByteSource, wanted: Expected): ByteSource {
  const sum = summer(wanted.checksumAlgorithm);
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    sum.add(chunk);
    yield chunk;
  }
  if (bytes !== wanted.bytes) {
    throw differs(path, `has ${bytes} bytes, the manifest says ${wanted.bytes}`);
  }
  if (sum.hex() !== wanted.checksum)
    throw differs(path, 'has another checksum than in the manifest');
}

interface Summer {
  readonly add: (chunk: Uint8Array) => void;
  readonly hex: () => string;
}

function summer(algorithm: Expected['checksumAlgorithm']): Summer {
  switch (algorithm) {
    case 'NONE':
      return { add: () => {}, hex: () => '' };
    case 'CRC32C': {
      let crc = 0;
      return { add: (chunk) => (crc = crc32c(chunk, crc)), hex: () => crc32cHex(crc) };
    }
    case 'SHA224':
    case 'SHA256':
    case 'SHA384':
    case 'SHA512':
      return hashSummer(createHash(algorithm.toLowerCase()));
  }
}

function hashSummer(hash: Hash): Summer {
  return { add: (chunk) => hash.update(chunk), hex: () => hash.digest('hex') };
}

function differs(path: TreePath, problem: string): TsbkError {
  return new TsbkError('object-corrupt', `${printable(path)} in the backup ${problem}`, {
    hint: 'The backup is damaged. Choose another one.',
  });
}
