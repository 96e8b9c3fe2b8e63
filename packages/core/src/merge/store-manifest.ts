import { toInstant } from '../kernel/instant.ts';
import { numberOf } from '../kernel/name-index.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { fileChecksum } from '../format/file-checksum.ts';
import { frameManifest } from '../format/format-manifest.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { FileSum } from '../ports/extract.ts';
import type { Receipt } from '../ports/lanes.ts';
import { completeManifest, type BuiltFiles } from '../repository/chain/complete-manifest.ts';
import { differs } from '../repository/chain/manifest-check.ts';
import { manifestKey } from '../repository/layout.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { createObject } from '../repository/write-object.ts';
import type { Folded } from './fold-chain.ts';
import type { MadeLines } from './made-lines.ts';
import type { MergePlan } from './plan-merge.ts';

interface Merged {
  readonly plan: MergePlan;
  readonly folded: Folded;
  readonly lines: MadeLines;
}

/** From this version on a manifest names its cluster. */
const VERSION_17 = 170_000;

/**
 * Stores the manifest of a merged backup: the newest one's, in which each file that was put together
 * has its own line, or, where that was made by WAL-G and has none, one of everything that passed.
 * Throws `object-corrupt` for a file that is not what the manifest says.
 */
export async function storeMergedManifest(
  repository: Repository,
  merged: Merged,
  { signal }: RunOptions,
): Promise<Receipt> {
  const { manifest, name } = merged.plan;
  const source =
    manifest === undefined
      ? await madeManifest(merged)
      : completeManifest(await openVerified(repository, manifest, { signal }), builtFiles(merged));
  return await createObject(repository, { key: manifestKey(name), source }, { signal });
}

/** What the folding has summed on the way. */
function builtFiles({ plan, folded }: Merged): BuiltFiles {
  const { sums } = folded.folding;
  const sumOf = (path: TreePath): FileSum | undefined => {
    const number = plan.roll === undefined ? undefined : numberOf(plan.roll.names, path);
    return number === undefined ? undefined : sums.get(number);
  };
  return {
    isBuilt: (path) => sumOf(path) !== undefined,
    sum: (paths) =>
      Promise.resolve(
        new Map(
          paths.map((path) => {
            const sum = sumOf(path);
            if (sum !== undefined) return [path, sum];
            throw differs(path, 'is an increment in the manifest, and in no tar');
          }),
        ),
      ),
  };
}

async function madeManifest({ plan, folded, lines }: Merged): Promise<ByteSource> {
  const { held, control } = folded.folding;
  const { facts, timeline } = plan;
  for (const path of ['backup_label', 'tablespace_map', 'global/pg_control'] as const) {
    // The map is stored also when it is empty.
    const bytes = held.get(path)?.bytes ?? new Uint8Array(0);
    const sum = fileChecksum('CRC32C');
    sum.add(bytes);
    const modified = control?.modified ?? toInstant(0n);
    await lines.add(smallMember(path, modified), { bytes: bytes.length, checksum: sum.hex() });
  }
  return frameManifest(lines.read(), {
    systemId: facts.pgVersion >= VERSION_17 ? facts.systemId : undefined,
    walRanges: [{ timeline, startLsn: facts.startLsn, endLsn: facts.finishLsn }],
  });
}

function smallMember(path: string, modified: SourceMember['modified']): SourceMember {
  return { kind: 'file', path, bytes: 0, mode: 0o600, modified, uid: 0, gid: 0 };
}
