import { TsbkError } from '../kernel/errors.ts';
import { keyOfName, type Given, type SettingsFile, type SettingsWarning } from './given.ts';
import { isSecretVariable } from './passed-on.ts';
import { SETTINGS, type Config } from './table.ts';

export interface CrossCheckRequest {
  readonly config: Config;
  /** Everything that was set, effective or not. */
  readonly given: readonly Given[];
  readonly file: SettingsFile | undefined;
}

export interface CrossCheckResult {
  readonly problems: readonly TsbkError[];
  readonly warnings: readonly SettingsWarning[];
}

/** What can be wrong although each setting by itself is right. */
export function crossCheck({ config, given, file }: CrossCheckRequest): CrossCheckResult {
  return {
    problems: [
      ...keysBesideTheCommand(config),
      ...(config.s3Prefix === undefined ? [] : encryptionByTheService(config)),
    ],
    warnings: [
      ...secretsInArguments(given),
      ...secretsInReadableFile(given, file),
      ...overwriting(config),
    ],
  };
}

/** Which of the two would be the key is nothing to guess about. */
function keysBesideTheCommand(config: Config): readonly TsbkError[] {
  const { keyCommand, pgpKey, pgpKeyPath, libsodiumKey, libsodiumKeyPath } = config;
  const others = [pgpKey, pgpKeyPath, libsodiumKey, libsodiumKeyPath];
  if (keyCommand === undefined || others.every((other) => other === undefined)) return [];
  return [
    new TsbkError('usage', 'TSBK_KEY_COMMAND is set, and a key or key file as well', {
      hint: 'Keep one of them: `tsbk config` shows where each comes from.',
    }),
  ];
}

function encryptionByTheService(config: Config): readonly TsbkError[] {
  const { s3Sse, s3SseKmsKeyId, s3SseCustomerKey } = config;
  if (s3Sse === 'aws:kms' && s3SseKmsKeyId === undefined) {
    return [
      new TsbkError('usage', 'TSBK_S3_SSE is aws:kms, and no key is named', {
        hint: 'Set TSBK_S3_SSE_KMS_ID.',
      }),
    ];
  }
  if (s3SseCustomerKey !== undefined && s3Sse !== 'AES256') {
    return [
      new TsbkError('usage', 'TSBK_S3_SSE_C has a key, and TSBK_S3_SSE is not AES256', {
        hint: 'Set TSBK_S3_SSE=AES256.',
      }),
    ];
  }
  return [];
}

function secretsInArguments(given: readonly Given[]): readonly SettingsWarning[] {
  return given
    .filter((one) => one.source === 'flag' && isSecret(one))
    .map(({ written }) => ({
      code: 'secret-in-arguments',
      text: `${written}: everybody on this machine can read arguments; use a file or the environment`,
    }));
}

function secretsInReadableFile(
  given: readonly Given[],
  file: SettingsFile | undefined,
): readonly SettingsWarning[] {
  if (file?.readableByOthers !== true) return [];
  if (!given.some((one) => one.source === 'file' && isSecret(one))) return [];
  const text = `${file.path} holds secrets and others may read it; run: chmod 600 ${file.path}`;
  return [{ code: 'secret-file-readable', text }];
}

function overwriting(config: Config): readonly SettingsWarning[] {
  if (config.preventWalOverwrite) return [];
  const text = 'TSBK_PREVENT_WAL_OVERWRITE=false is not obeyed: archived WAL is never replaced';
  return [{ code: 'setting-not-obeyed', text }];
}

function isSecret({ name }: Given): boolean {
  const key = keyOfName(name);
  return key === undefined ? isSecretVariable(name) : SETTINGS[key].secret;
}
