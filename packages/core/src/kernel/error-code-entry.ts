/** What is fixed for a code: the class of its exit code, whether trying again can help, its documentation. */
export interface ErrorCodeEntry {
  readonly exit: 'usage' | 'failure' | 'conflict' | 'temporary';
  readonly retry: boolean;
  readonly doc: string;
}
