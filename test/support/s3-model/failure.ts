/** An answer that S3 gives instead of doing what was asked. Codes: S3 API reference, "Error responses". */
export class S3Failure extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export function invalidArgument(message: string): S3Failure {
  return new S3Failure(400, 'InvalidArgument', message);
}

export function invalidRequest(message: string): S3Failure {
  return new S3Failure(400, 'InvalidRequest', message);
}

export function accessDenied(): S3Failure {
  return new S3Failure(403, 'AccessDenied', 'Access Denied');
}

export function preconditionFailed(): S3Failure {
  return new S3Failure(412, 'PreconditionFailed', 'A pre-condition of the request did not hold');
}
