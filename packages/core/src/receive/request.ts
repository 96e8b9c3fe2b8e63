import type { ConnectionSettings } from '../postgres/connection-settings.ts';

/** What is received, and how. */
export interface ReceiveRequest {
  readonly connection: ConnectionSettings;
  /** Make the slot where it is missing, and again where it is lost. */
  readonly createSlot: boolean;
  /** See `IntakeOptions`. */
  readonly flushMs: number;
  readonly flushBytes: number;
  readonly scratchDirectory: string;
  /** More WAL than this that only the server has is too much. */
  readonly lagBytesMax: number;
  /** What is done about it: say so, or give up the slot before the server's disk is full. */
  readonly lagAction: 'warn' | 'drop-slot';
}
