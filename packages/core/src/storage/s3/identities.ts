import type { S3Options } from './options.ts';
import type { Identity } from './wire/sign.ts';

/** With whose keys requests are signed. */
export interface Identities {
  /** Those that count at this moment (milliseconds since the epoch). Throws what their source throws. */
  get(nowMs: number): Promise<Identity>;
  /** Asks their source for others; fixed ones stay. Throws what it throws. */
  renew(): Promise<void>;
}

interface Expiring extends Identity {
  readonly expiration?: Date;
}

/** Fixed ones, as the SDK takes them. */
interface Fixed {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** One of the AWS SDK's providers. */
type Provider = (options?: { readonly forceRefresh?: boolean }) => Promise<Expiring>;

/** So long before they expire credentials are asked for anew. */
const EARLY_MS = 5 * 60_000;

/**
 * Static credentials if both halves are given; else the SDK's chain (environment, profile, SSO,
 * web identity, container, instance), which renews what expires. On top of either a role, if one
 * is named. The SDK is loaded when it is first needed.
 */
export function identitiesFor(options: S3Options): Identities {
  const own = staticCredentials(options);
  if (own !== undefined && options.roleArn === undefined) {
    return { get: async () => own, renew: async () => {} };
  }
  return renewing(() => providerFor(options, own));
}

function staticCredentials({
  accessKeyId = '',
  secretAccessKey = '',
  sessionToken,
}: S3Options): Fixed | undefined {
  if (accessKeyId === '' || secretAccessKey === '') return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

async function providerFor(options: S3Options, own: Fixed | undefined): Promise<Provider> {
  const { profile, configFile, sharedCredentialsFile, roleArn, roleSessionName, region } = options;
  const { fromNodeProviderChain, fromTemporaryCredentials } =
    await import('@aws-sdk/credential-providers');
  const isNamed = (profile ?? configFile ?? sharedCredentialsFile) !== undefined;
  const chain = fromNodeProviderChain({
    ...(profile === undefined ? {} : { profile }),
    ...(configFile === undefined ? {} : { configFilepath: configFile }),
    ...(sharedCredentialsFile === undefined ? {} : { filepath: sharedCredentialsFile }),
  });
  if (roleArn === undefined) return chain;
  const master = own ?? (isNamed ? chain : undefined);
  // It remembers nothing, so that there is nothing to refresh.
  const assumed = fromTemporaryCredentials({
    ...(master === undefined ? {} : { masterCredentials: master }),
    params: { RoleArn: roleArn, RoleSessionName: roleSessionName ?? 'tsbk' },
    ...(region === undefined ? {} : { clientConfig: { region } }),
  });
  return () => assumed();
}

/** Remembers what a provider gave until it is about to expire. Those who ask meanwhile wait together. */
function renewing(load: () => Promise<Provider>): Identities {
  let provider: Promise<Provider> | undefined;
  let current: Expiring | undefined;
  let asking: Promise<Expiring> | undefined;
  const ask = (forceRefresh: boolean): Promise<Expiring> => {
    asking ??= (async () => {
      provider ??= load();
      current = await (await provider)({ forceRefresh });
      return current;
    })().finally(() => {
      asking = undefined;
    });
    return asking;
  };
  return {
    get: async (nowMs) => {
      const leftMs = (current?.expiration?.getTime() ?? Infinity) - nowMs;
      if (current !== undefined && leftMs > EARLY_MS) return current;
      try {
        return await ask(current !== undefined);
      } catch (error) {
        // Those that count for some minutes more are better than none.
        if (current !== undefined && leftMs > 0) return current;
        throw error;
      }
    },
    renew: async () => {
      await ask(true);
    },
  };
}
