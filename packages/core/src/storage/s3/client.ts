import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { messageOf, TsbkError } from '../../kernel/errors.ts';
import { refuseConfiguredEndpoint } from './configured-endpoint.ts';
import { credentialsFor } from './credentials.ts';
import { CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS, type S3Options } from './options.ts';
import { regionFor } from './region.ts';

/** More connections than all lanes of a backup together use. */
const SOCKETS_MAX = 256;

const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/**
 * A client that tries once: repeating is the business of `storage/retrying`, which can see the
 * whole operation. Throws `usage` if the certificates cannot be read, and `unsupported-setting` for an
 * endpoint that only the files of the AWS tools name.
 */
export async function createS3Client(options: S3Options): Promise<S3Client> {
  await refuseConfiguredEndpoint(options);
  const credentials = await credentialsFor(options);
  const config: S3ClientConfig = {
    maxAttempts: 1,
    logger: SILENT,
    // Where the archive lies, our settings say alone.
    ignoreConfiguredEndpointUrls: true,
    forcePathStyle: options.forcePathStyle ?? false,
    useDualstackEndpoint: options.dualStack ?? false,
    // We send CRC-32 ourselves, in a header. The SDK's default is a trailer that needs chunked
    // encoding, which many services besides AWS refuse.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would open a new connection for each part.
    expectContinueHeader: false,
    requestHandler: await createHandler(options),
    ...(options.endpoint === undefined ? {} : { endpoint: endpointUrl(options.endpoint) }),
    ...(credentials === undefined ? {} : { credentials }),
  };
  const client = new S3Client({ ...config, region: regionFor(options, config) });
  addHeaders(client, options.additionalHeaders ?? {});
  return client;
}

type Handler = Pick<
  NodeHttpHandler,
  'metadata' | 'handle' | 'updateHttpClientConfig' | 'httpHandlerConfigs' | 'destroy'
>;

/**
 * Requests that send something are given up when their socket stands still. Downloads are not: a
 * reader that is busy with what it has leaves the socket idle. `body.ts` watches those.
 */
async function createHandler(options: S3Options): Promise<Handler> {
  const common = {
    httpAgent: new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
    httpsAgent: new HttpsAgent({
      keepAlive: true,
      maxSockets: SOCKETS_MAX,
      minVersion: 'TLSv1.2',
      // Said explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment has no effect.
      rejectUnauthorized: true,
      ...(await trustedCertificates(options.caCertFile)),
    }),
    connectionTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    logger: SILENT,
  };
  const reading = new NodeHttpHandler(common);
  const writing = new NodeHttpHandler({
    ...common,
    socketTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
  });
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (request, handlerOptions) =>
      (request.method === 'GET' ? reading : writing).handle(request, handlerOptions),
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
    destroy: () => {
      reading.destroy();
      writing.destroy();
    },
  };
}

async function trustedCertificates(file: string | undefined): Promise<{ ca?: Buffer }> {
  if (file === undefined) return {};
  try {
    return { ca: await readFile(file) };
  } catch (error) {
    throw new TsbkError('usage', `cannot read the CA certificates: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function endpointUrl(endpoint: string): string {
  return /^https?:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`;
}

/**
 * Adds what the user wants before the signature is made, and to downloads the wish to be told the
 * checksum. Wished for by its parameter, the SDK would compute it as well as `body.ts`.
 */
function addHeaders(client: S3Client, additional: Readonly<Record<string, string>>): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { request } = args;
      if (typeof request === 'object' && request !== null && 'headers' in request) {
        const isGet = context.commandName === 'GetObjectCommand';
        const checksum = isGet ? { 'x-amz-checksum-mode': 'ENABLED' } : {};
        Object.assign(request.headers as object, checksum, additional);
      }
      return next(args);
    },
    { step: 'build', name: 'tsbkHeaders' },
  );
}
