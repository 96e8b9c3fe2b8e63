import { eventually } from './eventually.ts';
import { startS3Model, type S3Model, type S3ModelOptions } from './s3-model/start.ts';
import type { Fault } from './s3-model/rules.ts';

/** A repository in a model of S3 that can be told to fail, for commands in processes of their own. */
export interface ModelStore extends AsyncDisposable {
  readonly model: S3Model;
  readonly env: Readonly<Record<string, string>>;
  /** Everything fails like this from now on. */
  breakDown(fault: Fault): void;
  /** Nothing fails any more. */
  recover(): void;
  /** Resolves when a request of this operation has come since `from`, a count of requests. */
  asked(operation: string, from?: number, key?: RegExp): Promise<void>;
  /** Keys of what is stored, in order, without those of the repository itself. */
  walKeys(): string[];
}

const BUCKET = 'tsbk-model';
const EVER = 1_000_000_000;

export async function openModelStore(options: S3ModelOptions = {}): Promise<ModelStore> {
  const model = await startS3Model({ buckets: [BUCKET], ...options });
  return {
    model,
    env: modelEnv(model),
    breakDown: (fault) => model.addRule({ times: EVER, fault }),
    recover: () => model.clearRules(),
    asked: async (operation, from = 0, key = /^/) => {
      await eventually(`a request for ${operation}`, async () =>
        model.requests
          .slice(from)
          .find((request) => request.operation === operation && key.test(request.key ?? '')),
      );
    },
    walKeys: () => {
      const keys = [...(model.state.buckets.get(BUCKET)?.objects.keys() ?? [])];
      return keys.filter((key) => key.startsWith('main/wal_005/')).sort();
    },
    [Symbol.asyncDispose]: () => model.close(),
  };
}

/** By which the commands find the model; the prefix may be another one. */
export function modelEnv(
  model: S3Model,
  prefix = `s3://${BUCKET}/main`,
): Readonly<Record<string, string>> {
  return {
    WALG_S3_PREFIX: prefix,
    AWS_ENDPOINT: model.endpoint,
    AWS_REGION: model.region,
    AWS_S3_FORCE_PATH_STYLE: 'true',
    AWS_ACCESS_KEY_ID: model.accessKeyId,
    AWS_SECRET_ACCESS_KEY: model.secretAccessKey,
  };
}
