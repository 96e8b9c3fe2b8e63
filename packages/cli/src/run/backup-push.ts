import { randomUUID } from 'node:crypto';
import { hostname, tmpdir } from 'node:os';
import { formatDuration } from '@tsbk/core/kernel/duration';
import { messageOf, TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import { formatInstant, instantToMs } from '@tsbk/core/kernel/instant';
import { formatSize } from '@tsbk/core/kernel/size';
import { deltaWish, type DeltaRequest, type DeltaWish } from '@tsbk/core/backup/decide-delta';
import { describeSource } from '@tsbk/core/backup/pushed-delta';
import { pushBackup, type PushRequest, type PushResult } from '@tsbk/core/backup/push';
import { openLanes } from '@tsbk/core/engine/open-lanes';
import { openRepository, type OpenedRepository } from '@tsbk/core/engine/open-repository';
import { ownProcess } from '@tsbk/core/engine/process-mark';
import { backupResources } from '@tsbk/core/engine/resources';
import { openServer, type OpenedServer } from '@tsbk/core/engine/open-server';
import { parseJson, stringifyJson, type JsonValue } from '@tsbk/core/format/json';
import { BUILD } from '../build-info.ts';
import type { CommandContext, Run } from '../command.ts';

/** `tsbk backup-push`: a base backup, streamed by the server or read from its directory. */
export const runBackupPush: Run = async (context) => {
  const { signal, report } = context;
  const request = requestOf(context);
  await using repository = await openRepository(context.settings, { signal, report });
  const [dataDirectory] = context.positionals;
  const { environment } = context;
  await using opened = await openServer({ environment, dataDirectory, report, signal });
  if (context.flags.on('plan') === true) {
    context.out(await planText(context, repository, opened));
    return EXIT.ok;
  }
  // Of a delta little may come; what reads the data directory needs its threads in any case.
  const isDelta = context.config.deltaMaxSteps > 0 && context.flags.on('full') !== true;
  const expects = isDelta && dataDirectory === undefined ? 'little' : 'much';
  await using lanes = openLanes(context.settings, repository, { report, expects });
  report(backupResources(repository, lanes.width));
  const result = await pushBackup({ repository, lanes, ...opened }, request, { signal, report });
  context.out(context.flags.on('json') === true ? jsonText(result) : resultText(result));
  return EXIT.ok;
};

function requestOf(context: CommandContext): PushRequest {
  const { flags, config } = context;
  const checkpoint = flags.text('checkpoint') ?? 'fast';
  if (checkpoint !== 'fast' && checkpoint !== 'spread') {
    throw new TsbkError('usage', `--checkpoint must be fast or spread, not ${checkpoint}`);
  }
  const label = flags.text('label') ?? 'tsbk';
  if (Buffer.byteLength(label) > 1024 || /[\r\n]/.test(label)) {
    throw new TsbkError('usage', '--label must be one line of at most 1024 bytes');
  }
  const userData = userDataOf(flags.text('add-user-data')) ?? config.sentinelUserData;
  return {
    runId: randomUUID(),
    hostname: hostname(),
    process: ownProcess(),
    toolVersion: BUILD.version,
    label,
    checkpoint,
    verifyChecksums: verifiesChecksums(context),
    maxRateBytes: config.turbo ? undefined : config.diskRateBytes,
    permanent: flags.on('permanent') ?? false,
    ...(userData === undefined ? {} : { userData }),
    partBytesMax: config.tarBytes,
    scratchDirectory: config.scratchDirectory ?? tmpdir(),
    nameTables: !config.disablePartialRestore,
    walTimeoutMs: config.walTimeoutMs,
    delta: deltaRequestOf(context),
  };
}

function deltaRequestOf({ flags, config, positionals }: CommandContext): DeltaRequest {
  return {
    full: flags.on('full') ?? false,
    maxSteps: config.deltaMaxSteps,
    origin: config.deltaOrigin,
    fromName: config.deltaFromName,
    fromUserData: config.deltaFromUserData,
    source: config.deltaSource,
    fallback: config.deltaFallback,
    local: positionals.length > 0,
  };
}

function verifiesChecksums({ flags, config }: CommandContext): boolean {
  if (flags.on('no-verify') === true) return false;
  return flags.on('verify') ?? config.verifyChecksums;
}

function userDataOf(text: string | undefined): JsonValue | undefined {
  if (text === undefined) return undefined;
  try {
    return parseJson(text, { what: '--add-user-data' });
  } catch (error) {
    throw new TsbkError('usage', `--add-user-data must be JSON: ${messageOf(error)}`, {
      hint: `For a text, quote it twice: --add-user-data '"before upgrade"'`,
    });
  }
}

/** How the data gets here, for people. */
function wayOf([dataDirectory]: readonly string[]): string {
  return dataDirectory === undefined ? 'streamed by the server' : `reading ${dataDirectory}`;
}

async function planText(
  context: CommandContext,
  repository: OpenedRepository,
  { server }: OpenedServer,
): Promise<string> {
  const { config, positionals, signal } = context;
  const { identity } = server;
  const wish = await deltaWish({ repository, server }, requestOf(context), { signal });
  const version = `${Math.floor(identity.versionNumber / 10_000)}.${identity.versionNumber % 10_000}`;
  return [
    `would ${plannedKind(wish)} of PostgreSQL ${version}, system identifier ${identity.systemId}`,
    `from ${identity.inRecovery ? 'a standby' : 'a primary'}, ${wayOf(positionals)}, into ${repository.store.url}`,
    `as ${repository.writeCodec.name}, encryption ${repository.cipher.name}, ${config.lanes} parts at once`,
    '',
  ].join('\n');
}

function plannedKind({ decision, fallback }: DeltaWish): string {
  if (decision.kind === 'full') {
    const { obstacle, reason } = decision;
    return `${obstacle && fallback === 'fail' ? 'fail to take a delta' : 'take a full backup'} (${reason})`;
  }
  const { parent, source } = decision.delta;
  const { count } = parent.link;
  return `take a delta on ${parent.name}, number ${count}, ${describeSource(source)} (${decision.reason}),`;
}

function resultText(result: PushResult): string {
  const ms = instantToMs(result.finishTime) - instantToMs(result.startTime);
  const ratio = (result.plainBytes / Math.max(1, result.storedBytes)).toFixed(1);
  return [
    `backup    ${result.name}`,
    `kind      ${kindText(result)}`,
    `size      ${formatSize(result.plainBytes)} in ${result.files} files, stored ${formatSize(result.storedBytes)} in ${result.parts} parts (${ratio}:1)`,
    `WAL       ${result.startLsn} to ${result.stopLsn} on timeline ${result.timeline}, archived`,
    `took      ${formatDuration(ms)}`,
    '',
  ].join('\n');
}

function kindText({ delta, reason }: PushResult): string {
  if (delta === undefined) return `full (${reason})`;
  const { parent, count, source } = delta;
  return `delta ${count} on ${parent}, ${describeSource(source)} (${reason})`;
}

function jsonText(result: PushResult): string {
  const { startTime, finishTime, delta, ...plain } = result;
  return `${stringifyJson({
    ...plain,
    ...(delta === undefined ? {} : { delta: { ...delta } }),
    startTime: formatInstant(startTime),
    finishTime: formatInstant(finishTime),
  })}\n`;
}
