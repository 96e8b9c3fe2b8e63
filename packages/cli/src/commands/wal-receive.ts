import type { CommandDeclaration } from '../command.ts';

/** `tsbk wal-receive` */
export const walReceive: CommandDeclaration = {
  name: 'wal-receive',
  aliases: [],
  group: 'Long-running',
  summary: 'stream WAL into the repository as it is written',
  description: [
    'Connects to a server like a standby and stores its WAL: each complete segment as ' +
      'archive_command would, and about each second what is new of the segment that is still being ' +
      'written. What is lost with a primary and its disk is then a second or two of transactions ' +
      'rather than up to a segment. As a synchronous standby (synchronous_standby_names; the name is ' +
      'PGAPPNAME, by default tsbk) it makes that nothing, at the price of the store’s latency for ' +
      'each commit.',
    'It runs until it is stopped, connects again whenever a connection ends, follows changes of the ' +
      'timeline, and may run beside archive_command. The connection comes from the usual variables ' +
      '(PGHOST, PGUSER …); the role needs LOGIN and REPLICATION.',
    'A replication slot (TSBK_SLOTNAME) makes the server keep what is not stored yet. While the store ' +
      'is away this fills the disk of the server: set max_slot_wal_keep_size there, or ' +
      'TSBK_RECEIVE_LAG_ACTION=drop-slot here.',
  ],
  positionals: [],
  flags: [
    {
      name: 'create-slot',
      doc: 'Make the slot if it is missing, and anew if the server has invalidated it.',
    },
    { name: 'no-slot', doc: 'Use no slot: the server may remove WAL before it is stored.' },
  ],
  settings: 'wal-receive',
  exits: { 143: 'It was stopped (SIGTERM), and everything that was received is stored.' },
  examples: [
    { purpose: 'The first time', line: 'tsbk wal-receive --create-slot' },
    {
      purpose: 'As a synchronous standby',
      line: 'PGAPPNAME=tsbk tsbk wal-receive --create-slot --receive-flush 5ms',
    },
  ],
};
