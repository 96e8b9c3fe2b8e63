import { stopLsnOf } from '../repository/backup-facts.ts';
import { hasOwnWal, missingName, type WalWay } from '../repository/wal-way/wal-way.ts';
import type { PlannedChain } from '../repository/chain/plan-chain.ts';
import type { PlanWarning } from './plan.ts';
import type { Selection } from '../repository/chain/selection.ts';
import type { PlannedTablespace } from './plan-tablespaces.ts';

interface WarningInputs {
  readonly chain: PlannedChain;
  readonly way: WalWay;
  readonly tablespaces: readonly PlannedTablespace[];
  readonly destination: string;
  readonly standby: boolean;
  readonly selection: Selection | undefined;
}

/** What does not forbid the restore and should be known before it. */
export function planWarnings(inputs: WarningInputs): PlanWarning[] {
  return [
    ...partialWarnings(inputs),
    ...recordWarnings(inputs.chain),
    ...walWarnings(inputs),
    ...placeWarnings(inputs),
  ];
}

function partialWarnings({ selection }: WarningInputs): PlanWarning[] {
  if (selection === undefined) return [];
  const asked = [...selection.databases.values()].filter((database) => database.asked);
  const parts = asked.map(({ name, whole }) => (whole ? name : `some tables of ${name}`));
  return [
    {
      code: 'partial',
      text: `only ${parts.join(', ')} and the system databases will be there: other databases and tables stay in the catalogs without their files, to be dropped. Do not run anything on this cluster but to take data out of it`,
    },
  ];
}

function recordWarnings({ details, roll }: PlannedChain): PlanWarning[] {
  const [detail] = details;
  const { name, sentinel } = detail;
  const warnings: PlanWarning[] = [];
  const foreign = details.filter(({ side }) => side === undefined).map((link) => link.name);
  if (foreign.length > 0) {
    const was = foreign.length === 1 ? 'was' : 'were';
    warnings.push({
      code: 'no-side-record',
      text: `${foreign.join(', ')} ${was} not made by tsbk: there are no hashes to check such objects against, only what their compression carries`,
    });
  }
  if (roll === undefined && details.length === 1 && !sentinel.filesMetadataDisabled) {
    warnings.push({
      code: 'no-files-metadata',
      text: `${name} does not list its files: everything in its tars is restored, and a file that is missing cannot be noticed`,
    });
  }
  if (stopLsnOf(detail) === undefined) {
    warnings.push({
      code: 'no-stop-lsn',
      text: `the records of ${name} do not say where it ends in the WAL: whether a target is before its end cannot be checked`,
    });
  }
  return warnings;
}

function walWarnings({ way, standby }: WarningInputs): PlanWarning[] {
  const missing = missingName(way);
  const warnings: PlanWarning[] = [];
  if (way.open?.isDisputed === true) {
    warnings.push({
      code: 'pieces-disputed',
      text: `the beginning of ${missing} lies in the archive in two forms, of which the longer one is taken: two servers wrote it (${way.open.folder})`,
    });
  }
  if (way.open !== undefined && way.open.unproven.length > 0) {
    warnings.push({
      code: 'pieces-damaged',
      text: `more was stored of the beginning of ${missing} than can be used, because a piece is damaged or missing (${way.open.folder})`,
    });
  }
  if (way.hasPartial && way.open === undefined) {
    warnings.push({
      code: 'partial-segment',
      text: `of ${missing} the archive has only the beginning (${missing}.partial), which recovery does not read`,
    });
  }
  if (!standby) return warnings;
  const stream = 'the standby must get it by streaming';
  if (!hasOwnWal(way)) {
    const text = `${missing}, which the backup needs, is not in the archive: ${stream}`;
    warnings.push({ code: 'own-wal-missing', text });
  } else if (way.run.isHole) {
    const text = `the archive has WAL after ${missing}, but not ${missing} itself: ${stream}`;
    warnings.push({ code: 'wal-hole', text });
  }
  return warnings;
}

function placeWarnings({ tablespaces, destination }: WarningInputs): PlanWarning[] {
  return tablespaces
    .filter(({ location }) => location.startsWith(`${destination}/`))
    .map(({ oid, location }) => ({
      code: 'tablespace-inside',
      text: `tablespace ${oid} goes inside the data directory (${location}), which PostgreSQL advises against`,
    }));
}
