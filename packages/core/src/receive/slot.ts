import { TsbkError } from '../kernel/errors.ts';
import type { Lsn } from '../kernel/lsn.ts';
import { createSlot, dropSlot, readSlot } from '../postgres/replication-slot.ts';
import type { ReplicationSession } from '../postgres/replication-session.ts';
import type { ReceiveContext } from './context.ts';

/** From where on the server keeps WAL for us: an LSN, `undefined` where that cannot be told. */
export async function openSlot(
  session: ReplicationSession,
  slot: string,
  context: ReceiveContext,
): Promise<Lsn | undefined> {
  const { request, signal, report } = context;
  const { connection } = request;
  const found = await readSlot(session, slot, { connection, signal });
  if (found !== undefined && found !== 'unknown') {
    // Before 18 a slot that was invalidated can be used as if nothing were: this is how it shows.
    if (found.restartLsn === undefined) await renewEmpty(session, slot, context);
    return found.restartLsn;
  }
  if (!request.createSlot) {
    if (found === 'unknown') return undefined;
    throw new TsbkError('slot-missing', `the server has no replication slot ${slot}`, {
      hint: 'Start once with --create-slot, or with --no-slot to receive without one.',
    });
  }
  if (await createSlot(session, slot)) {
    report({ kind: 'info', text: `made the replication slot ${slot}` });
  }
  const made = await readSlot(session, slot, { connection, signal });
  return made === undefined || made === 'unknown' ? undefined : made.restartLsn;
}

/** A slot that keeps nothing was invalidated, or made without RESERVE_WAL and never used. */
async function renewEmpty(
  session: ReplicationSession,
  slot: string,
  context: ReceiveContext,
): Promise<void> {
  if (context.request.createSlot) return await renewSlot(session, slot, context);
  context.report({
    kind: 'warning',
    code: 'slot-lost',
    text: `the replication slot ${slot} keeps no WAL: the server has invalidated it, or it was never used`,
  });
}

/** Makes a slot anew that the server has invalidated. What it held may be gone. */
export async function renewSlot(
  session: ReplicationSession,
  slot: string,
  { report }: ReceiveContext,
): Promise<void> {
  report({
    kind: 'warning',
    code: 'slot-lost',
    text: `the replication slot ${slot} keeps no WAL: the server has invalidated it, or it was never used; making it again`,
  });
  await dropSlot(session, slot);
  await createSlot(session, slot);
}
