/** What a backup manifest may sum its files by; of one backup all by the same. */
export type ChecksumAlgorithm = 'NONE' | 'CRC32C' | 'SHA224' | 'SHA256' | 'SHA384' | 'SHA512';
