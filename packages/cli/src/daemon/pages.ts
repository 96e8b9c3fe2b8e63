import { join } from 'node:path';
import type { Clock } from '@tsbk/core/ports/clock';
import { BUILD } from '../build-info.ts';
import type { Answer } from './answer.ts';
import { exposition, type Family } from './exposition.ts';
import type { LastBackup } from './last-backup.ts';
import type { Metrics } from './metrics.ts';
import { gauge, observeReady, observeReceiver } from './observe.ts';
import type { Reloader } from './reloader.ts';
import type { Pages } from './routes.ts';
import type { WalService } from './wal-service.ts';

interface PageOptions {
  readonly dataDir: string;
  /** State directory. */
  readonly state: string;
  readonly metrics: Metrics;
  readonly service: WalService;
  readonly reloader: Reloader;
  readonly lastBackup: LastBackup;
  readonly clock: Clock;
  readonly connections: () => number;
}

/** What monitoring asks for. No page waits for the repository. */
export function createPages(options: PageOptions): Pages {
  return {
    health: () => health(options),
    metrics: async () => {
      const { dataDir, state, metrics, lastBackup, clock } = options;
      return exposition([
        ...ownFamilies(options),
        ...metrics.families(),
        ...(await observeReady(dataDir, clock)),
        ...(await observeReceiver(join(state, 'receive.json'), clock)),
        ...lastBackup.families(),
      ]);
    },
  };
}

/** Well is who takes requests, and whose last push did not fail. */
function health({ metrics, service, reloader }: PageOptions): Answer {
  const reasons: string[] = [];
  if (service.isStopping) reasons.push('the daemon is stopping');
  const { lastFailure } = metrics;
  if (lastFailure !== undefined) reasons.push(`the last archive-push failed: ${lastFailure}`);
  if (reasons.length > 0) return { status: 503, lines: reasons };
  return {
    status: 200,
    lines: reloader.hasFailed ? ['ok', 'the settings of now cannot be used'] : ['ok'],
  };
}

function ownFamilies({ service, reloader, connections }: PageOptions): Family[] {
  const { pushes, gets } = service.underWay;
  return [
    {
      name: 'tsbk_build_info',
      type: 'gauge',
      help: 'The version of tsbk that runs.',
      samples: [{ labels: { version: BUILD.version }, value: 1 }],
    },
    gauge('tsbk_daemon_connections', 'Clients that are connected.', connections()),
    {
      name: 'tsbk_daemon_requests_under_way',
      type: 'gauge',
      help: 'WAL files that are being worked at.',
      samples: [
        { labels: { command: 'archive-push' }, value: pushes },
        { labels: { command: 'archive-get' }, value: gets },
      ],
    },
    gauge(
      'tsbk_daemon_reload_failed',
      'Whether the settings could not be taken when they were last read again.',
      reloader.hasFailed ? 1 : 0,
    ),
  ];
}
