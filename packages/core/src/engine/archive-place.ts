import type { Config } from '../settings/table.ts';

/**
 * Which archive the settings name, by everything that tells it from others, as text to compare: what
 * was fetched from one must not be handed over as another's.
 */
export function archivePlace(config: Config): string {
  const { filePrefix, s3Prefix, storagePrefix, s3Endpoint, s3Region } = config;
  const place = [filePrefix, s3Prefix, storagePrefix, s3Endpoint, s3Region];
  return JSON.stringify(place.map((part) => part ?? null));
}
