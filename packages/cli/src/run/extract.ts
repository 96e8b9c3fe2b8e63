import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import { formatSize } from '@tsbk/core/kernel/size';
import { openLanes } from '@tsbk/core/engine/open-lanes';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { restoreCommandText } from '@tsbk/core/engine/restore-command-text';
import { secretsForServer } from '@tsbk/core/engine/secrets-for-server';
import {
  extractObjects,
  planExtract,
  type ExtractPlan,
  type ExtractRequest,
  type ExtractResult,
} from '@tsbk/core/extract/extract';
import { parseWantedObjects } from '@tsbk/core/extract/wanted-objects';
import { stringifyJson } from '@tsbk/core/format/json';
import { lookUpUser, type SystemUser } from '@tsbk/core/programs/run-as';
import { parseTimelineChoice } from '@tsbk/core/restore/target';
import type { CommandContext, Run } from '../command.ts';
import { planText } from '../render/restore-plan.ts';
import { launcher } from './launcher.ts';
import { targetOf } from './target-of.ts';

/** `tsbk extract` */
export const runExtract: Run = async (context) => {
  const { signal, report, flags, out } = context;
  const json = flags.on('json') === true;
  const request = await requestOf(context);
  await using repository = await openRepository(context.settings, { signal, report });
  if (flags.on('plan') === true) {
    const plan = await planExtract(repository, request, { signal, report });
    out(json ? planJson(plan) : extractPlanText(plan));
    const [problem] = plan.restore.problems;
    if (problem !== undefined) throw problem;
    return EXIT.ok;
  }
  const most = context.config.downloadConcurrency;
  await using lanes = openLanes(context.settings, repository, { report, most });
  const result = await extractObjects({ repository, lanes }, request, { signal, report });
  out(json ? resultJson(result) : resultText(result));
  return EXIT.ok;
};

async function requestOf(context: CommandContext): Promise<ExtractRequest> {
  const { flags, config, positionals, cwd, environment, settings } = context;
  const wanted = parseWantedObjects({
    databases: flags.all('database'),
    schemas: flags.all('schema'),
    tables: flags.all('table'),
  });
  const out = flags.text('out');
  if (out === undefined && flags.on('plan') !== true) {
    throw new TsbkError('usage', 'extract needs --out', { hint: 'For example --out table.dump.' });
  }
  return {
    backup: positionals[0] ?? 'LATEST',
    target: targetOf(context),
    timeline: parseTimelineChoice(flags.text('target-timeline') ?? 'latest'),
    restoreCommand: restoreCommandText(launcher(), settings).text,
    segmentBytes: config.walSegmentBytes,
    wanted,
    out: resolve(cwd, out ?? '.'),
    format: formatOf(flags.text('format') ?? 'custom'),
    scratchDirectory: config.scratchDirectory ?? tmpdir(),
    socketDirectory: tmpdir(),
    programs: { directory: config.pgBinDirectory, path: environment['PATH'] },
    user: await userOf(context),
    role: flags.text('username') ?? environment['PGUSER'] ?? 'postgres',
    preload: flags.on('without-preload') !== true,
    environment: { ...environment, ...secretsForServer(settings) },
  };
}

function formatOf(text: string): 'custom' | 'plain' {
  if (text === 'custom' || text === 'plain') return text;
  throw new TsbkError('usage', `--format must be custom or plain, not ${text}`);
}

async function userOf({ flags, signal }: CommandContext): Promise<SystemUser | undefined> {
  const name = flags.text('run-as');
  const isRoot = process.getuid?.() === 0;
  if (name === undefined && !isRoot) return undefined;
  if (name === undefined) {
    throw new TsbkError('usage', 'PostgreSQL does not run as root', {
      hint: 'Name a user for server and pg_dump: --run-as postgres. It must be able to read the repository, or its settings file.',
    });
  }
  const user = await lookUpUser(name, { signal });
  if (user.uid === process.getuid?.()) return undefined;
  if (isRoot) return user;
  throw new TsbkError('usage', `only root can run programs as ${name}`);
}

const SCOPES = {
  relations: 'the named tables, what belongs to them, and the system catalogs',
  databases: 'the databases they are in, and the system catalogs',
  all: 'the whole cluster: the backup does not tell its parts by these names',
} as const;

function extractPlanText({ restore, scope, installation }: ExtractPlan): string {
  const programs = `PostgreSQL ${installation.version} in ${installation.directory}`;
  return `restore   ${SCOPES[scope.kind]}\nprograms  ${programs}\n${planText(restore)}`;
}

function planJson({ restore, scope, installation }: ExtractPlan): string {
  return `${stringifyJson({
    backup: restore.backup.name,
    scope: scope.kind,
    fetchBytes: restore.fetchBytes,
    writeBytes: restore.writeBytes ?? null,
    programs: { ...installation },
    problems: restore.problems.map(({ code, message }) => ({ code, message })),
  })}\n`;
}

function resultText({ backup, dumps }: ExtractResult): string {
  const lines = dumps.map(
    ({ database, path, bytes }) => `extracted ${path}, ${formatSize(bytes)}, of ${database}`,
  );
  return `${lines.join('\n')}\nfrom      ${backup}\n`;
}

function resultJson({ backup, scope, dumps }: ExtractResult): string {
  return `${stringifyJson({ backup, scope, dumps: dumps.map((dump) => ({ ...dump })) })}\n`;
}
