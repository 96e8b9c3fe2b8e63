import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configuration, pgBackRest } from '../pgbackrest.ts';
import type { WalContender } from './wal-contender.ts';

/** pgBackRest's own way to look ahead. */
export const pgBackRestAsync: WalContender = {
  id: 'pgbackrest',
  title: 'pgBackRest, async',
  note: 'archive-async=y, process-max = lanes of tsbk; its background processes outlive the command and are not counted',
  absent: pgBackRest.absent,
  excluded: pgBackRest.excluded,
  open: (site) => {
    const config = join(site.folder, 'pgbackrest.conf');
    const text = configuration(site, ['archive-async=y'], [`pg1-path=${site.dataDir}`]);
    writeFileSync(config, text);
    const command = `pgbackrest --config=${config} --stanza=bench`;
    const [program = '', ...args] = `${command} --no-online stanza-create`.split(' ');
    return {
      env: {},
      prepare: { program, args, env: {} },
      archiveCommand: `${command} archive-push %p`,
      restoreCommand: `${command} archive-get %f %p`,
    };
  },
};
