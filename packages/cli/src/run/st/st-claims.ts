import { EXIT } from '@tsbk/core/kernel/exit';
import { formatInstant, instantToMs, type Instant } from '@tsbk/core/kernel/instant';
import { formatSize } from '@tsbk/core/kernel/size';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stateOfProcess } from '@tsbk/core/engine/process-mark';
import { stringifyJson, type JsonObject } from '@tsbk/core/format/json';
import {
  isAbandoned,
  removeAbandoned,
  unfinishedBackups,
  type UnfinishedBackup,
} from '@tsbk/core/storage-tools/claims';
import type { Run } from '../../command.ts';
import { olderThan } from './older-than.ts';

/** `tsbk st claims` */
export const runStClaims: Run = async (context) => {
  const { flags, signal, out } = context;
  const olderThanMs = olderThan(flags);
  await using repository = await openRepository(context.settings, {
    signal: context.signal,
    report: context.report,
  });
  const options = { signal, stateOf: stateOfProcess };
  const nowMs = instantToMs(context.clock.now());
  const told: Told[] = [];
  for (const backup of await unfinishedBackups(repository, options)) {
    const goes = flags.on('remove') === true && isAbandoned(backup, { nowMs, olderThanMs });
    const removed = goes && flags.on('plan') !== true;
    if (removed) await removeAbandoned(repository, backup, { signal });
    told.push({ backup, goes, removed });
  }
  if (flags.on('json') === true) out(stringifyJson(told.map(asJson)));
  else out(told.length === 0 ? 'there are no unfinished backups' : told.map(asText).join('\n'));
  return EXIT.ok;
};

interface Told {
  readonly backup: UnfinishedBackup;
  readonly goes: boolean;
  readonly removed: boolean;
}

function asText({ backup, goes, removed }: Told): string {
  const { name, claim, objects, bytes, lastWrite } = backup;
  const verb = removed ? 'removed ' : goes ? 'would remove ' : '';
  const size = `${objects} ${objects === 1 ? 'object' : 'objects'}, ${formatSize(bytes)}`;
  const who =
    claim === undefined ? 'without a claim' : `begun ${timeOf(claim.started)} on ${claim.host}`;
  return `${verb}${name}: ${who}, last written to ${timeOf(lastWrite)}, ${size}; ${stateText(backup)}`;
}

function stateText({ holder, claim }: UnfinishedBackup): string {
  const process = claim?.process === undefined ? 'the process' : `process ${claim.process.pid}`;
  switch (holder) {
    case 'gone':
      return `${process} is gone`;
    case 'alive':
      return `${process} is running`;
    case 'unknown':
      return 'whether it is running cannot be known here';
  }
}

function timeOf(instant: Instant | undefined): string {
  return instant === undefined ? '-' : formatInstant(instant);
}

function asJson({ backup, removed, goes }: Told): JsonObject {
  const { name, claim, holder, objects, bytes, lastWrite } = backup;
  return {
    name,
    run: claim?.run ?? null,
    host: claim?.host ?? null,
    pid: claim?.process?.pid ?? null,
    started: claim?.started === undefined ? null : formatInstant(claim.started),
    lastWrite: lastWrite === undefined ? null : formatInstant(lastWrite),
    objects,
    bytes: String(bytes),
    process: holder,
    abandoned: goes,
    removed,
  };
}
