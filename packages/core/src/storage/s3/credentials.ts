import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Options } from './options.ts';

export type Credentials = S3ClientConfig['credentials'];

/**
 * Static credentials if both halves are given; else the SDK's chain (environment, profile, SSO,
 * web identity, container, instance), which renews what expires. On top of either a role, if one
 * is named. `undefined` leaves the choice to the client, which has the plain chain built in.
 */
export async function credentialsFor(options: S3Options): Promise<Credentials | undefined> {
  const own = staticCredentials(options) ?? (await chainWithFiles(options));
  if (options.roleArn === undefined) return own;
  const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
  return fromTemporaryCredentials({
    ...(own === undefined ? {} : { masterCredentials: own }),
    params: {
      RoleArn: options.roleArn,
      RoleSessionName: options.roleSessionName ?? 'tsbk',
    },
    ...(options.region === undefined ? {} : { clientConfig: { region: options.region } }),
  });
}

function staticCredentials({
  accessKeyId = '',
  secretAccessKey = '',
  sessionToken,
}: S3Options): Credentials | undefined {
  if (accessKeyId === '' || secretAccessKey === '') return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

async function chainWithFiles(options: S3Options): Promise<Credentials | undefined> {
  const { profile, configFile, sharedCredentialsFile } = options;
  if ((profile ?? configFile ?? sharedCredentialsFile) === undefined) return undefined;
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
  return fromNodeProviderChain({
    ...(profile === undefined ? {} : { profile }),
    ...(configFile === undefined ? {} : { configFilepath: configFile }),
    ...(sharedCredentialsFile === undefined ? {} : { filepath: sharedCredentialsFile }),
  });
}
