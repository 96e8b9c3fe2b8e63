/** One thing that a check looked at. */
export interface Finding {
  readonly area: 'repository' | 'server' | 'archiving' | 'files';
  /** `warning`: works, and will disappoint one day. `failed`: does not work. */
  readonly status: 'ok' | 'warning' | 'failed';
  /** What is the case, one sentence. */
  readonly text: string;
  /** What to do about it: a statement, a setting, a command. */
  readonly fix?: string;
}

export function ok(area: Finding['area'], text: string): Finding {
  return { area, status: 'ok', text };
}

export function warning(area: Finding['area'], text: string, fix: string): Finding {
  return { area, status: 'warning', text, fix };
}

export function failed(area: Finding['area'], text: string, fix: string): Finding {
  return { area, status: 'failed', text, fix };
}
