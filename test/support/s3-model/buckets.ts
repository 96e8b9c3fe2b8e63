import { bucketOf, type Answer, type Call } from './call.ts';
import { S3Failure } from './failure.ts';
import { createBucket as newBucket } from './state.ts';
import { xmlDocument } from './xml.ts';

export function createBucket({ state, request }: Call): Answer {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(request.bucket)) {
    throw new S3Failure(400, 'InvalidBucketName', 'The specified bucket is not valid.');
  }
  if (state.buckets.has(request.bucket)) {
    throw new S3Failure(409, 'BucketAlreadyOwnedByYou', 'The bucket exists already');
  }
  state.buckets.set(request.bucket, newBucket(request.bucket));
  return { status: 200, headers: { location: `/${request.bucket}` } };
}

export function headBucket(call: Call): Answer {
  bucketOf(call);
  return { status: 200, headers: { 'x-amz-bucket-region': call.state.region } };
}

export function getBucketLocation(call: Call): Answer {
  bucketOf(call);
  const { region } = call.state;
  return {
    status: 200,
    body: xmlDocument('LocationConstraint', region === 'us-east-1' ? '' : region),
  };
}
