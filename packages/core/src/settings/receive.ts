import { choice, duration, size, slotName } from './kinds.ts';
import { setting } from './setting.ts';

const MIB = 1024 ** 2;

/** Streaming WAL into the repository. */
export const RECEIVE_SETTINGS = {
  slotName: setting({
    env: ['TSBK_SLOTNAME', 'WALG_SLOTNAME'],
    kind: slotName,
    default: 'walg',
    commands: ['wal-receive'],
    doc: 'Replication slot that keeps WAL on the server until it is stored.',
  }),
  receiveFlushMs: setting({
    env: ['TSBK_RECEIVE_FLUSH'],
    kind: duration(0),
    default: 1000,
    commands: ['wal-receive'],
    doc: 'The longest that WAL waits before it is on its way to the store, and so what a lost primary takes along. For synchronous replication a few milliseconds.',
  }),
  receiveFlushBytes: setting({
    env: ['TSBK_RECEIVE_FLUSH_BYTES'],
    kind: size(8 * 1024, 1024 * MIB),
    default: MIB,
    commands: ['wal-receive'],
    doc: 'So much WAL does not wait.',
  }),
  receiveLagBytesMax: setting({
    env: ['TSBK_RECEIVE_LAG_MAX'],
    kind: size(64 * MIB),
    default: 10 * 1024 * MIB,
    commands: ['wal-receive'],
    doc: 'More WAL than this that only the server has is too much; see TSBK_RECEIVE_LAG_ACTION.',
  }),
  receiveLagAction: setting({
    env: ['TSBK_RECEIVE_LAG_ACTION'],
    kind: choice(['warn', 'drop-slot']),
    default: 'warn',
    commands: ['wal-receive'],
    doc: 'What is done then: warn, or drop the slot before the disk of the server is full, and go on without one.',
  }),
};
