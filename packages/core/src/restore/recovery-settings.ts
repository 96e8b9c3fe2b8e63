import { formatPostgresTime } from '../kernel/instant.ts';
import { formatLsn } from '../kernel/lsn.ts';
import type { ConfBlock } from '../format/conf-block.ts';
import type { SignalFile } from '../cluster/recovery-files.ts';
import type { RecoveryTarget, TargetAction, TimelineChoice } from './target.ts';

export interface RecoveryRequest {
  readonly target: RecoveryTarget;
  readonly timeline: TimelineChoice;
  readonly action: TargetAction;
  /** Keep following the archive (and `primary_conninfo`) instead of opening for writes. */
  readonly standby: boolean;
  /** As the server runs it, with its placeholders. */
  readonly restoreCommand: string;
  /** Files of relations were left out on purpose. */
  readonly partial?: boolean;
}

export interface RecoverySettings {
  readonly signalFile: SignalFile;
  readonly block: ConfBlock;
}

type Setting = readonly [name: string, value: string];

const TARGET_SETTINGS = [
  'recovery_target',
  'recovery_target_time',
  'recovery_target_lsn',
  'recovery_target_xid',
  'recovery_target_name',
] as const;

/** What a restore before this one may have set, and this one does not. */
const REMOVED = [
  'recovery_target_inclusive',
  'recovery_target_action',
  'ignore_invalid_pages',
] as const;

/**
 * What tells PostgreSQL 12 and later to recover up to a target. The server refuses two kinds of
 * target, wherever they are set, and takes an empty value as none; and its check depends on the
 * order. So the other kinds are emptied first, which undoes what a restored `postgresql.conf` may
 * still say, and the one wanted comes last.
 */
export function recoverySettings(request: RecoveryRequest): RecoverySettings {
  const { target, timeline, action, standby, restoreCommand } = request;
  const chosen = targetSetting(target);
  const emptied = TARGET_SETTINGS.filter((name) => name !== chosen?.[0]);
  const settings: Setting[] = [
    ['restore_command', restoreCommand],
    ['recovery_target_timeline', String(timeline)],
    ...emptied.map((name): Setting => [name, '']),
    ...(chosen === undefined ? [] : [chosen]),
  ];
  if ('inclusive' in target) {
    settings.push(['recovery_target_inclusive', target.inclusive ? 'on' : 'off']);
  }
  if (chosen !== undefined) settings.push(['recovery_target_action', action]);
  // WAL changes pages of the files that are not there, and without this recovery would end there.
  if (request.partial === true) settings.push(['ignore_invalid_pages', 'on']);
  return {
    signalFile: standby ? 'standby.signal' : 'recovery.signal',
    block: { settings, remove: REMOVED },
  };
}

function targetSetting(target: RecoveryTarget): Setting | undefined {
  switch (target.kind) {
    case 'latest':
      return undefined;
    case 'immediate':
      return ['recovery_target', 'immediate'];
    case 'time':
      return ['recovery_target_time', formatPostgresTime(target.time)];
    case 'lsn':
      return ['recovery_target_lsn', formatLsn(target.lsn)];
    case 'xid':
      return ['recovery_target_xid', String(target.xid)];
    case 'name':
      return ['recovery_target_name', target.name];
  }
}
