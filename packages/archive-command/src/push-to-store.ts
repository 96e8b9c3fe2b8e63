import { dirname, join } from 'node:path';
import { pushAhead } from '@tsbk/core/archive/push-ahead';
import type { PushMemory } from '@tsbk/core/archive/push-memory';
import { systemIdOfDataDirectory } from '@tsbk/core/cluster/system-id';
import { openPushers } from '@tsbk/core/engine/open-pushers';
import { openRepository } from '@tsbk/core/engine/open-repository';
import type { ReportEvent } from '@tsbk/core/ports/report';
import type { LoadedSettings } from '@tsbk/core/settings/load';

export interface StorePush {
  readonly path: string;
  readonly settings: LoadedSettings;
  readonly memory: PushMemory | undefined;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The part of the command that reaches the repository: the asked file, and those that come next. */
export async function pushToStore({
  path,
  settings,
  memory,
  log,
  signal,
}: StorePush): Promise<void> {
  const { config } = settings;
  const report = (event: ReportEvent): void => {
    if (event.kind === 'retry') log(`trying again: ${event.what}: ${event.error}`);
    if (event.kind === 'warning') log(`warning: ${event.text}`);
  };
  await using repository = await openRepository(settings, {
    signal,
    retryBudgetMs: config.pushTimeoutMs,
    report,
  });
  const serverSystemId = await systemIdOfDataDirectory(join(dirname(path), '..'));
  await using pushers = openPushers(settings, repository, { report });
  const { push, width } = pushers;
  const { name, outcome } = await pushAhead(
    { path, serverSystemId, ahead: config.pushAhead, width },
    { push, clock: repository.clock, report, memory },
    { signal },
  );
  if (outcome === 'already-there') log(`${name} was archived before, with the same content`);
}
