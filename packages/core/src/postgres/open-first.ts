import { TsbkError, isTsbkError, messageOf } from '../kernel/errors.ts';
import {
  describeHost,
  type ConnectionSettings,
  type HostSettings,
  type TargetSessionAttrs,
} from './connection-settings.ts';

/** What a session must offer for `target_session_attrs` to be judged. */
export interface Judged {
  readonly parameters: ReadonlyMap<string, string>;
  show(name: string): Promise<string>;
  close(): Promise<void>;
}

/**
 * Tries the hosts in order until one fits `target_session_attrs` (PostgreSQL docs, "Specifying
 * Multiple Hosts"). A host that cannot be reached or does not fit is passed over; one that refuses
 * the login ends the search, as with libpq. If none is left, throws the error of the only host or
 * one that names them all.
 */
export async function openFirst<T extends Judged>(
  settings: ConnectionSettings,
  open: (host: HostSettings) => Promise<T>,
): Promise<T> {
  const failures: TsbkError[] = [];
  for (const wanted of passesOf(settings.targetSessionAttrs)) {
    failures.length = 0;
    for (const host of settings.hosts) {
      const opened = await openOne(open, host, failures);
      if (opened === undefined) continue;
      if (await fits(opened, wanted)) return opened;
      await opened.close();
      failures.push(unfit(host, wanted));
    }
  }
  throw summary(failures);
}

function passesOf(wanted: TargetSessionAttrs): readonly TargetSessionAttrs[] {
  return wanted === 'prefer-standby' ? ['standby', 'any'] : [wanted];
}

async function openOne<T>(
  open: (host: HostSettings) => Promise<T>,
  host: HostSettings,
  failures: TsbkError[],
): Promise<T | undefined> {
  try {
    return await open(host);
  } catch (error) {
    const final = !isTsbkError(error) || error.code === 'server-denied';
    if (final || error.code === 'server-unsupported') throw error;
    failures.push(error);
    return undefined;
  }
}

async function fits(session: Judged, wanted: TargetSessionAttrs): Promise<boolean> {
  switch (wanted) {
    case 'any':
    case 'prefer-standby':
      return true;
    case 'primary':
      return !(await isStandby(session));
    case 'standby':
      return isStandby(session);
    case 'read-write':
      return !(await isReadOnly(session));
    case 'read-only':
      return isReadOnly(session);
  }
}

/** Servers from 14 on report it. Before, a session of a standby is known by being read-only. */
async function isStandby(session: Judged): Promise<boolean> {
  const reported = session.parameters.get('in_hot_standby');
  return reported === undefined ? isReadOnly(session) : reported === 'on';
}

async function isReadOnly(session: Judged): Promise<boolean> {
  return (await session.show('transaction_read_only')) === 'on';
}

function unfit(host: HostSettings, wanted: TargetSessionAttrs): TsbkError {
  return new TsbkError(
    'server-unreachable',
    `PostgreSQL at ${describeHost(host)} is not ${wanted}`,
    {
      hint: 'PGTARGETSESSIONATTRS says which servers will do.',
    },
  );
}

function summary(failures: readonly TsbkError[]): TsbkError {
  const [only] = failures;
  if (only !== undefined && failures.length === 1) return only;
  return new TsbkError(
    only?.code ?? 'server-unreachable',
    `none of the ${failures.length} hosts will do: ${failures.map(messageOf).join('; ')}`,
    { hint: only?.hint, cause: new AggregateError(failures) },
  );
}
