import { parseTarget, type RecoveryTarget } from '@tsbk/core/restore/target';
import type { CommandContext } from '../command.ts';

/** What the options of `TARGET_FLAGS` say. Throws `usage`. */
export function targetOf({ flags, environment }: CommandContext): RecoveryTarget {
  const localZone = environment['TZ'] ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  return parseTarget(
    {
      time: flags.text('target-time'),
      lsn: flags.text('target-lsn'),
      xid: flags.text('target-xid'),
      name: flags.text('target-name'),
      immediate: flags.on('target-immediate'),
      exclusive: flags.on('target-exclusive'),
    },
    { localZone },
  );
}
