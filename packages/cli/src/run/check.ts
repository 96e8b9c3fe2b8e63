import { TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { runCheck as check } from '@tsbk/core/engine/run-check';
import { stringifyJson } from '@tsbk/core/format/json';
import type { Finding } from '@tsbk/core/check/finding';
import type { Run } from '../command.ts';

/** `tsbk check` */
export const runCheck: Run = async (context) => {
  const { settings, environment, signal, report, flags, out } = context;
  await using repository = await openRepository(settings, { signal, report });
  const findings = await check({ settings, environment, repository, signal, report });
  out(
    flags.on('json') === true
      ? stringifyJson(findings.map((finding) => ({ ...finding })))
      : findings.map(lineOf).join('\n'),
  );
  const bad = findings.filter(({ status }) => status === 'failed').length;
  if (bad === 0) return EXIT.ok;
  throw new TsbkError('check-failed', `${bad} of ${findings.length} checks failed`, {
    hint: 'Each failed line above says what to do.',
  });
};

const MARKS = { ok: 'ok      ', warning: 'warning ', failed: 'FAILED  ' } as const;

function lineOf({ status, area, text, fix }: Finding): string {
  const line = `${MARKS[status]}${area.padEnd(11)} ${text}`;
  return fix === undefined ? line : `${line}\n${' '.repeat(20)}→ ${fix}`;
}
