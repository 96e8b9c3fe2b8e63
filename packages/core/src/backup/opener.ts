import type { TsbkError } from '../kernel/errors.ts';
import type { BackupRequest, BackupSource, OpenBackup } from '../ports/backup-source.ts';
import type { Repository } from '../repository/repository.ts';
import type { Delta } from './parent.ts';

/** A delta that is to be opened, and why its changes come from where they do. */
export interface ReasonedDelta {
  readonly delta: Delta;
  /** A clause for people. */
  readonly reason: string;
}

export interface OpenInputs {
  readonly repository: Repository;
  readonly source: BackupSource;
}

/** Begins a delta by one source. Throws what is no refusal. */
export type Opener = (
  inputs: OpenInputs,
  wanted: ReasonedDelta,
  options: { readonly request: BackupRequest; readonly signal: AbortSignal },
) => Promise<Attempt>;

export type Attempt = OpenedDelta | RefusedDelta;

export interface OpenedDelta extends ReasonedDelta {
  readonly kind: 'opened';
  readonly backup: OpenBackup;
}

/** No delta by this source. */
export interface RefusedDelta {
  readonly kind: 'refused';
  /**
   * What is to blame: the way, so that another one may be taken, or the parent, on which nothing may be
   * built by any.
   */
  readonly by: 'source' | 'parent';
  /** A clause for people. */
  readonly reason: string;
  /** What was thrown, with its hint. */
  readonly error?: TsbkError;
  /** What has begun meanwhile and can be taken as a full one. */
  readonly backup?: OpenBackup;
}
