import { messageOf, TsbkError } from '../kernel/errors.ts';
import type { Lsn } from '../kernel/lsn.ts';
import { createSlot, dropSlot, readSlot } from '../postgres/replication-slot.ts';
import {
  openReplicationSession,
  type ReplicationSession,
} from '../postgres/replication-session.ts';
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
    if (found.restartLsn !== undefined) return found.restartLsn;
    await renewEmpty(session, slot, context);
    return await restartOf(session, slot, context);
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
  return await restartOf(session, slot, context);
}

async function restartOf(
  session: ReplicationSession,
  slot: string,
  { request: { connection }, signal }: ReceiveContext,
): Promise<Lsn | undefined> {
  const state = await readSlot(session, slot, { connection, signal });
  return state === undefined || state === 'unknown' ? undefined : state.restartLsn;
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
  { request: { connection }, signal, report }: ReceiveContext,
): Promise<void> {
  // Only what is known to be ours to drop is dropped: a server refuses a logical slot in the same way.
  if ((await readSlot(session, slot, { connection, signal })) === 'unknown') {
    throw new TsbkError(
      'slot-lost',
      `the replication slot ${slot} cannot be used, or is not physical`,
      {
        hint: 'Look at pg_replication_slots; drop it by hand, or choose another name (TSBK_SLOTNAME).',
      },
    );
  }
  report({
    kind: 'warning',
    code: 'slot-lost',
    text: `the replication slot ${slot} keeps no WAL: the server has invalidated it, or it was never used; making it again`,
  });
  await dropSlot(session, slot);
  await createSlot(session, slot);
}

/** Says at the start what a slot can do to a server while the store is away. */
export async function warnOfUnboundedSlot(
  session: ReplicationSession,
  slot: string,
  { request, report }: ReceiveContext,
): Promise<void> {
  if (request.lagAction === 'drop-slot') return;
  if ((await session.show('max_slot_wal_keep_size')) !== '-1') return;
  report({
    kind: 'warning',
    code: 'slot-unbounded',
    text: `the server keeps WAL for the slot ${slot} until its disk is full (max_slot_wal_keep_size is -1)`,
  });
}

/** Drops the slot that makes the server keep too much, and goes on without one. */
export async function giveUpSlot(context: ReceiveContext, why: string): Promise<void> {
  const { request, status, signal, report } = context;
  const { slot } = status;
  if (slot === undefined) return;
  try {
    await using session = await openReplicationSession(request.connection, { signal });
    await dropSlot(session, slot);
    status.slot = undefined;
    const text = `${why}: dropped the replication slot ${slot}, going on without one`;
    report({ kind: 'warning', code: 'slot-given-up', text });
  } catch (error) {
    signal.throwIfAborted();
    report({ kind: 'warning', code: 'slot-not-dropped', text: messageOf(error) });
  }
}
