import type { Clock } from '../ports/clock.ts';
import type { Report } from '../ports/report.ts';
import type { Repository } from '../repository/repository.ts';
import type { ReceiveRequest } from './request.ts';
import type { ReceiveStatus } from './status.ts';

/** What every part of a receiver needs. */
export interface ReceiveContext {
  readonly repository: Repository;
  readonly request: ReceiveRequest;
  readonly status: ReceiveStatus;
  readonly clock: Clock;
  readonly report: Report;
  /** Asks to come to an end, in good order. */
  readonly stop: AbortSignal;
  /** Ends everything: some seconds after `stop`. */
  readonly signal: AbortSignal;
}
