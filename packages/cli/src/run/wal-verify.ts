import { TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import { parseLsn } from '@tsbk/core/kernel/lsn';
import { auditWal, type Audit, type AuditRequest } from '@tsbk/core/engine/audit-wal';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { highestTimeline } from '@tsbk/core/wal-audit/timelines';
import type { CommandContext, Run } from '../command.ts';
import { restorableLines } from '../render/restorable.ts';
import { verifiedJson, verifiedText, type Verified } from '../render/verified.ts';
import { findRestorable, warnOf } from './wal-show.ts';

const CHECKS = ['integrity', 'timeline'] as const;

/** `tsbk wal-verify [CHECK…]` */
export const runWalVerify: Run = async (context) => {
  const { settings, config, environment, signal, report, flags, out } = context;
  const checks = checksOf(context);
  const request = requestOf(context);
  await using repository = await openRepository(settings, { signal, report });
  const audit = await auditWal(request, { repository, config, environment, signal, report });
  warnOf(audit.state, context);
  const verified = verifiedOf(audit, { checks, isPlan: request.heal === 'plan' });
  if (flags.on('json') === true) {
    out(verifiedJson(verified));
  } else {
    const restorable = await findRestorable(repository, audit.state, context);
    const lines = restorableLines(restorable, audit.state.segmentBytes);
    out([verifiedText(verified), ...lines].join('\n'));
  }
  return verified.checks.some(({ status }) => status === 'FAILURE') ? EXIT.failure : EXIT.ok;
};

type CheckName = (typeof CHECKS)[number];

function checksOf({ positionals }: CommandContext): readonly CheckName[] {
  if (positionals.length === 0) return CHECKS;
  return [...new Set(positionals)].map((name) => {
    const check = CHECKS.find((one) => one === name);
    if (check !== undefined) return check;
    throw new TsbkError('usage', `${JSON.stringify(name)} is no check of wal-verify`, {
      hint: 'There are integrity and timeline.',
    });
  });
}

function requestOf({ flags }: CommandContext): AuditRequest {
  const isPlan = flags.on('plan') === true;
  const heals = flags.on('heal') === true;
  if (isPlan && !heals) throw new TsbkError('usage', '--plan goes with --heal');
  const healFrom = flags.text('from');
  if (healFrom !== undefined && !heals) throw new TsbkError('usage', '--from goes with --heal');
  return {
    at: positionOf(flags.text('timeline'), flags.text('lsn')),
    backupName: flags.text('backup-name'),
    content: flags.on('content') === true,
    heal: heals ? (isPlan ? 'plan' : 'yes') : 'no',
    healFrom,
  };
}

function positionOf(timeline: string | undefined, text: string | undefined): AuditRequest['at'] {
  if (timeline === undefined && text === undefined) return undefined;
  if (timeline === undefined || text === undefined) {
    throw new TsbkError('usage', '--timeline and --lsn go together');
  }
  const lsn = parseLsn(text);
  const number = /^\d{1,10}$/.test(timeline) ? Number(timeline) : 0;
  if (lsn === undefined) throw new TsbkError('usage', `--lsn ${text} is no LSN, as 0/3000148 is`);
  if (number > 0 && number <= 0xffff_ffff) return { timeline: number, lsn };
  throw new TsbkError('usage', '--timeline is a number from 1 on, in decimal digits');
}

function verifiedOf(
  audit: Audit,
  { checks, isPlan }: { readonly checks: readonly CheckName[]; readonly isPlan: boolean },
): Verified {
  const { state, range, integrity, content, healed } = audit;
  const highest = highestTimeline(state.listing);
  const current = range.current.timeline;
  const results: Verified['checks'][number][] = [];
  if (healed !== undefined) results.push({ name: 'heal', isPlan, healed, status: statusOf(audit) });
  for (const name of checks) {
    if (name === 'integrity') {
      const status = range.isCutOff ? 'FAILURE' : integrity.status;
      const lacksHistoryOf = range.isCutOff ? current : undefined;
      results.push({ name, status, rows: integrity.rows, lacksHistoryOf });
    } else {
      const status = highest === 0 ? 'WARNING' : highest === current ? 'OK' : 'FAILURE';
      results.push({ name, status, current, highest });
    }
  }
  if (content !== undefined) {
    const status = content.corrupt.length === 0 ? 'OK' : 'FAILURE';
    results.push({ name: 'content', status, ...content });
  }
  return { segmentBytes: state.segmentBytes, checks: results };
}

/** What could not be filled and is lost is a failure; what may still come by itself is not. */
function statusOf({ healed = [], integrity }: Audit): 'OK' | 'WARNING' | 'FAILURE' {
  const left = healed.filter(({ outcome }) => outcome === 'refused' || outcome === 'absent');
  if (left.length === 0) return 'OK';
  return integrity.status === 'FAILURE' ? 'FAILURE' : 'WARNING';
}
