import { parseXml, textIn } from './xml.ts';

/** What an answer's head says, whatever its body is. */
export interface AnswerFacts {
  readonly status: number;
  readonly requestId?: string | undefined;
  readonly region?: string | undefined;
}

/** An answer that is not of success. Its name is S3's error code. */
export class S3Failure extends Error {
  readonly status: number;
  /** By which the service finds the request in its own log. */
  readonly requestId: string | undefined;
  /** Where the bucket is, if the answer says so. */
  readonly region: string | undefined;

  constructor(name: string, message: string, { status, requestId, region }: AnswerFacts) {
    super(message);
    this.name = name;
    this.status = status;
    this.requestId = requestId;
    this.region = region;
  }
}

/** For an answer that could not be understood although its status says success. */
export const UNREADABLE = 'UnreadableAnswer';

/** What stands for the words of an answer that has none. */
export const NO_WORDS = 'UnknownError';

/** The failure that an answer tells: by its body if that is S3's, else by its status alone. */
export function failureOf(text: string, answer: AnswerFacts): S3Failure {
  const error = parseXml(text);
  if (error?.name !== 'Error') return new S3Failure(`HTTP${answer.status}`, NO_WORDS, answer);
  const code = textIn(error, 'Code') ?? `HTTP${answer.status}`;
  return new S3Failure(code, textIn(error, 'Message') ?? NO_WORDS, answer);
}
