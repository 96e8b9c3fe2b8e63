import type { S3Answer, S3Client } from './s3-client.ts';

/** For tests: a client of a service that answers every request with what `answer` gives. */
export function answering(answer: () => Partial<S3Answer>): S3Client {
  return {
    send: async () => ({ status: 200, headers: {}, text: '', body: undefined, ...answer() }),
    renewCredentials: async () => {},
    destroy: () => {},
  };
}
