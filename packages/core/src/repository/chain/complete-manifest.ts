import { createHash } from 'node:crypto';
import type { TreePath } from '../../kernel/tree-path.ts';
import { incrementalTarget } from '../../format/increment/pg-incremental.ts';
import { manifestFileOf, manifestLineOf } from '../../format/manifest-line.ts';
import type { ManifestFile } from '../../format/manifest.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import type { FileSum } from '../../ports/extract.ts';
import { treePath } from '../../format/tree-path.ts';
import { differs } from './manifest-check.ts';

export interface BuiltFiles {
  /** Whether a file was put together from pages. */
  isBuilt(path: TreePath): boolean;
  /** Length and checksum of each of these files. */
  sum(paths: readonly TreePath[]): Promise<ReadonlyMap<TreePath, FileSum>>;
}

/** Enough lines that all lanes have files to read. */
const BLOCK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The manifest of what a chain of deltas was restored to: that of the newest one, with each line of
 * PostgreSQL's incremental files replaced by that of the file itself, and its own checksum made anew;
 * everything else byte for byte. A file that was put together and has a line of its own is held
 * against it. Throws `object-corrupt`.
 */
export async function* completeManifest(manifest: ByteSource, files: BuiltFiles): ByteSource {
  const hash = createHash('sha256');
  for await (const block of blocksOf(manifest)) {
    const lines = block.toString('utf8').split('\n');
    const done = Buffer.from((await completed(lines, files)).join('\n'));
    hash.update(done);
    yield done;
  }
  yield Buffer.from(`"Manifest-Checksum": "${hash.digest('hex')}"}\n`);
}

/** Whole lines, some at a time; not the last line of all, which is the checksum. */
async function* blocksOf(manifest: ByteSource): AsyncGenerator<Buffer> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  const rest = (): Buffer => Buffer.concat(pieces, bytes);
  for await (const chunk of manifest) {
    pieces.push(Uint8Array.from(chunk));
    bytes += chunk.length;
    if (bytes < BLOCK_BYTES) continue;
    const whole = rest();
    const end = endOfLines(whole);
    if (end > 0) yield whole.subarray(0, end);
    pieces = [whole.subarray(end)];
    bytes = whole.length - end;
  }
  const whole = rest();
  yield whole.subarray(0, endOfLines(whole));
}

/** Where the last line begins. */
function endOfLines(bytes: Buffer): number {
  return bytes.lastIndexOf(NEWLINE, bytes.length - 2) + 1;
}

interface BuiltLine {
  readonly index: number;
  readonly file: ManifestFile;
  readonly path: TreePath;
  /** The line is that of an increment of the file. */
  readonly isIncremental: boolean;
}

async function completed(lines: readonly string[], files: BuiltFiles): Promise<string[]> {
  const built = lines.flatMap((line, index) => builtLine(line, index, files) ?? []);
  const sums = await files.sum(built.map(({ path }) => path));
  const result = [...lines];
  for (const { index, file, path, isIncremental } of built) {
    const sum = sums.get(path);
    if (sum === undefined) throw new TypeError(`${path} was not summed`);
    if (isIncremental) {
      const comma = lines[index]?.endsWith(',') === true ? ',' : '';
      const target = incrementalTarget(file.path) ?? file.path;
      result[index] = manifestLineOf({ ...file, path: target, ...sum }) + comma;
    } else {
      requireSame(path, file, sum);
    }
  }
  return result;
}

function builtLine(line: string, index: number, files: BuiltFiles): BuiltLine | undefined {
  const file = manifestFileOf(line);
  if (file === undefined) return undefined;
  const target = incrementalTarget(file.path);
  if (target !== undefined) return { index, file, path: treePath(target), isIncremental: true };
  const path = treePath(file.path, file.rawPath);
  return files.isBuilt(path) ? { index, file, path, isIncremental: false } : undefined;
}

function requireSame(path: TreePath, file: ManifestFile, found: FileSum): void {
  if (found.bytes !== file.bytes) {
    throw differs(path, `has ${found.bytes} bytes, the manifest says ${file.bytes}`);
  }
  if (found.checksum !== file.checksum) {
    throw differs(path, 'has another checksum than in the manifest');
  }
}
