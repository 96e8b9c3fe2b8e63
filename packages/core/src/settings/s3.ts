import { absolutePath, boolean, choice, integer, integerOrOff, size, string } from './kinds.ts';
import { endpoint, headers } from './location-kinds.ts';
import { CONFIGURED_COMMANDS, setting } from './setting.ts';

const commands = CONFIGURED_COMMANDS;
const writers = [
  'backup-push',
  'backup-merge',
  'archive-push',
  'wal-receive',
  'daemon',
  'wal-verify',
  'check',
  'st',
] as const;

const MIB = 1024 ** 2;

/** The S3 service: names and meanings are WAL-G's and the AWS SDK's. */
export const S3_SETTINGS = {
  s3Endpoint: setting({
    env: ['TSBK_S3_ENDPOINT', 'AWS_ENDPOINT', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
    kind: endpoint,
    commands,
    doc: 'Address of an S3-compatible service; https unless the URL says http. Unset: AWS. An `endpoint_url` in the files of the AWS tools is refused rather than followed: what says where the archive lies must be a setting, so that a daemon and what is remembered of pushed files can be compared with it.',
  }),
  s3Region: setting({
    env: ['TSBK_S3_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
    kind: string,
    commands,
    doc: 'Region of the bucket. Unset: `us-east-1` with an endpoint of your own, else asked from AWS.',
  }),
  s3ForcePathStyle: setting({
    env: ['TSBK_S3_FORCE_PATH_STYLE', 'AWS_S3_FORCE_PATH_STYLE', 'S3_FORCE_PATH_STYLE'],
    kind: boolean,
    default: false,
    commands,
    doc: 'Put the bucket into the path of the URL, not into the host name.',
  }),
  s3AccessKeyId: setting({
    env: ['TSBK_S3_ACCESS_KEY_ID', 'AWS_ACCESS_KEY_ID', 'AWS_ACCESS_KEY'],
    kind: string,
    secret: true,
    commands,
    doc: "Access key. Used only together with the secret key; else the AWS SDK's own chain decides.",
  }),
  s3SecretAccessKey: setting({
    env: ['TSBK_S3_SECRET_ACCESS_KEY', 'AWS_SECRET_ACCESS_KEY', 'AWS_SECRET_KEY'],
    kind: string,
    secret: true,
    commands,
    doc: 'Secret key that belongs to the access key.',
  }),
  s3SessionToken: setting({
    env: ['TSBK_S3_SESSION_TOKEN', 'AWS_SESSION_TOKEN'],
    kind: string,
    secret: true,
    commands,
    doc: 'Session token of temporary credentials.',
  }),
  s3RoleArn: setting({
    env: ['TSBK_S3_ROLE_ARN', 'AWS_ROLE_ARN'],
    kind: string,
    commands,
    doc: 'Role to assume with the credentials found.',
  }),
  s3RoleSessionName: setting({
    env: ['TSBK_S3_ROLE_SESSION_NAME', 'AWS_ROLE_SESSION_NAME'],
    kind: string,
    commands,
    doc: 'Name of the session when a role is assumed.',
  }),
  s3Profile: setting({
    env: ['TSBK_S3_PROFILE', 'AWS_PROFILE'],
    kind: string,
    commands,
    doc: 'Profile in the AWS configuration files.',
  }),
  s3ConfigFile: setting({
    env: ['TSBK_S3_CONFIG_FILE', 'AWS_CONFIG_FILE'],
    kind: absolutePath,
    commands,
    doc: 'AWS configuration file. Unset: `~/.aws/config`.',
  }),
  s3CredentialsFile: setting({
    env: ['TSBK_S3_CREDENTIALS_FILE', 'AWS_SHARED_CREDENTIALS_FILE'],
    kind: absolutePath,
    commands,
    doc: 'AWS credentials file. Unset: `~/.aws/credentials`.',
  }),
  s3CaFile: setting({
    env: ['TSBK_S3_CA_FILE', ...walg('S3_CA_CERT_FILE'), 'AWS_CA_BUNDLE'],
    kind: absolutePath,
    commands,
    doc: 'PEM file with the certificate authorities that the service may be signed by.',
  }),
  s3DualStack: setting({
    env: ['TSBK_S3_DUAL_STACK', 'AWS_DUAL_STACK', 'AWS_USE_DUALSTACK_ENDPOINT'],
    kind: boolean,
    default: false,
    commands,
    doc: "Use AWS's addresses that speak IPv4 and IPv6.",
  }),
  s3StorageClass: setting({
    env: ['TSBK_S3_STORAGE_CLASS', ...walg('S3_STORAGE_CLASS')],
    kind: string,
    default: 'STANDARD',
    commands: writers,
    doc: 'Storage class of new objects. Classes that must be thawed before reading break recovery.',
  }),
  s3Sse: setting({
    env: ['TSBK_S3_SSE', ...walg('S3_SSE')],
    kind: choice(['AES256', 'aws:kms']),
    commands,
    doc: 'Encryption by the service: its own key, a KMS key, or with `s3-sse-c` a key of yours.',
  }),
  s3SseKmsKeyId: setting({
    env: ['TSBK_S3_SSE_KMS_ID', ...walg('S3_SSE_KMS_ID')],
    kind: string,
    commands: writers,
    doc: 'KMS key for `aws:kms`.',
  }),
  s3SseCustomerKey: setting({
    env: ['TSBK_S3_SSE_C', ...walg('S3_SSE_C')],
    kind: string,
    secret: true,
    commands,
    doc: 'Key (32 bytes as text) that the service encrypts with and does not keep. Needs `AES256`.',
  }),
  s3PartBytes: setting({
    env: ['TSBK_S3_MAX_PART_SIZE', ...walg('S3_MAX_PART_SIZE')],
    kind: size(5 * MIB, 5 * 1024 * MIB),
    default: 8 * MIB,
    commands: writers,
    doc: 'Size of the parts of an upload. Memory for uploads is this times the upload concurrency.',
  }),
  s3MaxRetries: setting({
    env: ['TSBK_S3_MAX_RETRIES', ...walg('S3_MAX_RETRIES')],
    kind: integer(0, 1000),
    default: 15,
    commands,
    doc: 'How often one request is tried again at most; the retry budget may end it earlier.',
  }),
  s3AdditionalHeaders: setting({
    env: ['TSBK_S3_REQUEST_ADDITIONAL_HEADERS', ...walg('S3_REQUEST_ADDITIONAL_HEADERS')],
    kind: headers,
    secret: true,
    commands,
    doc: 'Headers to send with each request.',
  }),
  s3ConditionalWrites: setting({
    env: ['TSBK_S3_CONDITIONAL_WRITES'],
    kind: choice(['native', 'check-first']),
    default: 'native',
    commands: writers,
    doc: 'Who refuses to overwrite: the service (`native`), or tsbk by looking first, which two writers at the same moment can beat. `tsbk check` tells whether the service can.',
  }),
  s3ListV1: setting({
    env: ['TSBK_S3_USE_LIST_OBJECTS_V1', ...walg('S3_USE_LIST_OBJECTS_V1')],
    kind: boolean,
    default: false,
    commands,
    doc: 'List with the first version of the call, for services that lack the second.',
  }),
  s3RetentionSeconds: setting({
    env: ['TSBK_S3_RETENTION_PERIOD', ...walg('S3_RETENTION_PERIOD')],
    kind: integerOrOff(1, 100 * 365 * 86_400),
    commands: writers,
    doc: 'Object lock of new objects, in seconds; `-1` is off.',
  }),
  s3RetentionMode: setting({
    env: ['TSBK_S3_RETENTION_MODE', ...walg('S3_RETENTION_MODE')],
    kind: choice(['GOVERNANCE', 'COMPLIANCE']),
    default: 'GOVERNANCE',
    commands: writers,
    doc: 'Whether a privileged user may lift the lock (`GOVERNANCE`) or nobody (`COMPLIANCE`).',
  }),
};

/** WAL-G looks a storage setting up by its bare name, then with `WALG_`, then with `WALE_`. */
function walg(name: string): readonly string[] {
  return [name, `WALG_${name}`, `WALE_${name}`];
}
