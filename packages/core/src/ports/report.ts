/** What a run tells while it goes on. Text, JSON and tests are readers of this one stream. */
export type ReportEvent =
  | {
      /** A step begins; `text` is a sentence for people. */
      readonly kind: 'phase';
      readonly phase: string;
      readonly text: string;
    }
  | {
      readonly kind: 'progress';
      readonly phase: string;
      /** Uncompressed bytes done so far, and in all if known. */
      readonly bytes: number;
      readonly totalBytes?: number | undefined;
    }
  | { readonly kind: 'info'; readonly text: string }
  | {
      /** What a run will use at most, told once before it begins. */
      readonly kind: 'resources';
      readonly lanes: number;
      /** Resident memory, whatever the size of the database. */
      readonly memoryBytes: number;
      readonly networkBytesPerSecond?: number | undefined;
      readonly diskBytesPerSecond?: number | undefined;
    }
  | {
      /** Something is wrong but the run goes on. `code` is stable, for machines. */
      readonly kind: 'warning';
      readonly code: string;
      readonly text: string;
    }
  | {
      /** A call is tried again. */
      readonly kind: 'retry';
      readonly what: string;
      readonly attempt: number;
      readonly waitMs: number;
      readonly error: string;
    };

export type Report = (event: ReportEvent) => void;
