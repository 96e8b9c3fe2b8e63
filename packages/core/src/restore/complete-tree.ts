import { amendManifest } from '../format/amend-manifest.ts';
import { requiredDirectories } from '../cluster/required-directories.ts';
import { writeRecoveryFiles } from '../cluster/recovery-files.ts';
import type { Placer } from '../cluster/place.ts';
import { treePath } from '../format/tree-path.ts';
import { writeWalMark } from '../cluster/wal-mark.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { lent } from '../stream/release.ts';
import { sourceOf } from '../stream/source.ts';
import { completeManifest, type BuiltFiles } from '../repository/chain/complete-manifest.ts';
import type { Extracted } from './extract.ts';
import { requireLabel } from '../repository/chain/held-files.ts';
import { mappedTablespaceMap } from './mapped-tablespace-map.ts';
import type { RestorePlan } from './plan.ts';
import { historyName } from '../repository/wal-way/read-history.ts';

interface TreeInputs {
  readonly repository: Repository;
  readonly plan: RestorePlan;
  readonly placer: Placer;
  readonly extracted: Extracted;
  /** Of a chain: what was put together from several backups. */
  readonly built: BuiltFiles;
}

const TABLESPACE_MAP = 'tablespace_map';

/**
 * Adds to the unpacked files what makes a data directory of them: the directories that backups
 * leave empty, links to the tablespaces, label and tablespace map, the manifest, how to recover,
 * and which WAL the archive must have. Only `pg_control` is still missing then.
 */
export async function completeTree(
  { repository, plan, placer, extracted, built }: TreeInputs,
  { signal }: RunOptions,
): Promise<void> {
  const { held, rootMode } = extracted;
  const fileMode = rootMode === 0o750 ? 0o640 : 0o600;
  for (const path of requiredDirectories(plan.backup.pgVersion)) {
    await placer.ensure(treePath(path), rootMode);
  }
  for (const { oid, location } of plan.tablespaces) {
    const path = treePath(`pg_tblspc/${oid}`);
    await placer.ensure(path, rootMode);
    placer.link(path, location);
  }
  const label = requireLabel(held, plan.backup);
  await placer.file(treePath('backup_label'), label.mode, sourceOf(label.bytes));
  const map = mappedTablespaceMap(held, plan);
  if (map !== undefined) {
    await placer.file(treePath(TABLESPACE_MAP), map.mode, sourceOf(map.bytes));
  }
  // One that lists what is not there would make `pg_verifybackup` call the directory damaged.
  if (plan.manifest !== undefined && plan.selection === undefined) {
    // Who reads it keeps nothing, and that of a million files is 140 MiB.
    const stored = lent(await openVerified(repository, plan.manifest, { signal }));
    const whole = plan.links.length === 1 ? stored : completeManifest(stored, built);
    const manifest =
      map?.isChanged === true
        ? amendManifest(whole, { path: TABLESPACE_MAP, content: map.bytes })
        : whole;
    await placer.file(treePath('backup_manifest'), fileMode, manifest);
  }
  if (plan.recovery !== undefined) {
    await writeRecoveryFiles(plan.destination, { ...plan.recovery, mode: fileMode });
  }
  const followed = plan.wal.timeline;
  await writeWalMark(plan.destination, {
    segmentBytes: plan.wal.segmentBytes,
    ranges: plan.wal.available,
    // Lost, it would make the server choose another timeline, or one that is taken.
    histories: followed === plan.backup.timeline ? [] : [historyName(followed)],
  });
  await placer.finish();
}
