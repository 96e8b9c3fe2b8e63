import { accessDenied, S3Failure } from './failure.ts';
import type { Payload } from './payload.ts';
import type { S3Request } from './request.ts';
import type { Bucket, State, StoredObject } from './state.ts';

/** One verified request, with what it is about. */
export interface Call {
  readonly state: State;
  readonly request: S3Request;
  readonly payload: Payload;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Throws `NoSuchBucket`. */
export function bucketOf({ state, request }: Call): Bucket {
  const bucket = state.buckets.get(request.bucket);
  if (bucket !== undefined) return bucket;
  throw new S3Failure(404, 'NoSuchBucket', 'The specified bucket does not exist');
}

/** Throws `NoSuchKey`, or `AccessDenied` where the credentials may not list. */
export function objectOf(call: Call): StoredObject {
  const object = bucketOf(call).objects.get(call.request.key);
  if (object !== undefined) return object;
  if (call.state.modes.missingIsDenied) throw accessDenied();
  throw new S3Failure(404, 'NoSuchKey', 'The specified key does not exist.');
}

/** Throws `InvalidArgument` unless it is a whole number in the range, or absent. */
export function numberOf(
  { request }: Call,
  name: string,
  range: { readonly least: number; readonly most: number; readonly absent: number },
): number {
  const given = request.query.get(name);
  if (given === undefined) return range.absent;
  const value = /^\d{1,9}$/.test(given) ? Number(given) : -1;
  if (value >= range.least && value <= range.most) return value;
  throw new S3Failure(400, 'InvalidArgument', `${name} must not be ${given}`);
}
