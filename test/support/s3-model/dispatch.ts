import { createBucket, getBucketLocation, headBucket } from './buckets.ts';
import type { Answer, Call } from './call.ts';
import { accessDenied, S3Failure } from './failure.ts';
import { listMultipartUploads, listObjects, listObjectsV2 } from './listing.ts';
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
  listParts,
  uploadPart,
} from './multipart.ts';
import { deleteObject, deleteObjects, getObject, headObject, putObject } from './objects.ts';

const OPERATIONS: Readonly<Record<string, (call: Call) => Answer>> = {
  AbortMultipartUpload: abortMultipartUpload,
  CompleteMultipartUpload: completeMultipartUpload,
  CreateBucket: createBucket,
  CreateMultipartUpload: createMultipartUpload,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
  GetBucketLocation: getBucketLocation,
  GetObject: getObject,
  HeadBucket: headBucket,
  HeadObject: headObject,
  ListMultipartUploads: listMultipartUploads,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  ListParts: listParts,
  PutObject: putObject,
  UploadPart: uploadPart,
};

/** Does what a verified request asks. Throws `S3Failure`. */
export function dispatch(call: Call): Answer {
  const { operation } = call.request;
  const perform = OPERATIONS[operation];
  if (perform === undefined) {
    throw new S3Failure(501, 'NotImplemented', `The model has no ${operation}`);
  }
  if (call.state.modes.denied.has(operation)) throw accessDenied();
  return perform(call);
}
