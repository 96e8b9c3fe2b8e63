import type { FlagSpec } from '@tsbk/core/settings/argv';
import { JSON_FLAG, type CommandDeclaration, type CommandName } from '../command.ts';

const ONE_STORE: readonly FlagSpec[] = [
  { name: 'target', short: 't', value: 'NAME', walg: 'refused', doc: 'there is one repository.' },
];
const NO_GLOB: FlagSpec = {
  name: 'glob',
  short: 'g',
  walg: 'refused',
  doc: 'name the object or the folder.',
};
const NO_VERSIONS: FlagSpec = {
  name: 'all-versions',
  walg: 'refused',
  doc: 'versions of objects are not looked at.',
};
const PLAN: FlagSpec = { name: 'plan', doc: 'Say what would be done, and do nothing.' };
const OBJECT = 'Name below the repository’s prefix, with its extension.';

type Verb = Omit<CommandDeclaration, 'aliases' | 'group' | 'settings'> & {
  readonly name: CommandName;
};

function verb(declaration: Verb): CommandDeclaration {
  const flags = [...declaration.flags, ...ONE_STORE];
  return { ...declaration, flags, aliases: [], group: 'Storage tools', settings: 'st' };
}

/** `tsbk st …`: the objects of the repository, by hand. */
export const ST_COMMANDS: readonly CommandDeclaration[] = [
  verb({
    name: 'st ls',
    summary: 'list objects and folders',
    description: ['Lists a folder, or with --recursive all objects below it.'],
    positionals: [{ name: 'FOLDER', optional: true, doc: 'The root without it.' }],
    flags: [
      { name: 'recursive', short: 'r', doc: 'All objects below the folder.' },
      JSON_FLAG,
      NO_GLOB,
      NO_VERSIONS,
    ],
    examples: [{ purpose: 'What the repository holds', line: 'tsbk st ls -r basebackups_005' }],
  }),
  verb({
    name: 'st get',
    summary: 'download an object into a file',
    description: [
      'Decrypts and decompresses by the extension; one that is none’s is left as it is. The file ' +
        'appears when it is whole, readable by its owner alone. One that is there is left alone.',
    ],
    positionals: [
      { name: 'OBJECT', doc: OBJECT },
      { name: 'PATH', doc: 'File to write, or a directory to write it into.' },
    ],
    flags: [
      { name: 'no-decrypt', doc: 'Leave it encrypted.' },
      { name: 'no-decompress', doc: 'Leave it compressed.' },
      JSON_FLAG,
    ],
    examples: [
      {
        purpose: 'A WAL segment, to look into with pg_waldump',
        line: 'tsbk st get wal_005/000000010000000000000003.lz4 /tmp/000000010000000000000003',
      },
    ],
  }),
  verb({
    name: 'st cat',
    summary: 'write an object to standard output',
    description: ['Writes the bytes as they are stored, unless asked otherwise.'],
    positionals: [{ name: 'OBJECT', doc: OBJECT }],
    flags: [
      { name: 'decrypt', doc: 'Decrypt it.' },
      { name: 'decompress', doc: 'Decompress it by its extension.' },
      NO_GLOB,
    ],
    examples: [
      {
        purpose: 'The record of a backup',
        line: 'tsbk st cat basebackups_005/base_00000001000000000000000F_backup_stop_sentinel.json',
      },
    ],
  }),
  verb({
    name: 'st put',
    summary: 'upload a file',
    description: [
      'Compresses and encrypts like everything else in the repository, and appends the extension ' +
        'of the codec. Nothing is replaced unless --force says so.',
    ],
    positionals: [
      { name: 'PATH', doc: 'File to upload. Not given with --read-stdin.' },
      { name: 'OBJECT', optional: true, doc: 'Name below the repository’s prefix.' },
    ],
    flags: [
      { name: 'no-compress', doc: 'Store it as it is, without an extension.' },
      { name: 'no-encrypt', doc: 'Store it in the clear.' },
      { name: 'force', short: 'f', doc: 'Replace the object if it exists.' },
      { name: 'read-stdin', short: 's', doc: 'Upload standard input.' },
      PLAN,
      JSON_FLAG,
    ],
    examples: [
      { purpose: 'Notes beside the backups', line: 'tsbk st put runbook.md notes/runbook.md' },
    ],
  }),
  verb({
    name: 'st rm',
    summary: 'remove an object or a folder',
    description: [
      'Removes one object, or all of a folder. What may belong to backups or WAL (basebackups_005/, ' +
        'wal_005/) is removed with --force only: nothing brings it back. For what a killed backup ' +
        'left there is `tsbk st claims`.',
    ],
    positionals: [{ name: 'OBJECT', doc: 'Name of an object or a folder, whole.' }],
    flags: [
      { name: 'force', short: 'f', doc: 'Also what may belong to backups or WAL.' },
      PLAN,
      JSON_FLAG,
      NO_GLOB,
      NO_VERSIONS,
    ],
    examples: [{ purpose: 'See first', line: 'tsbk st rm notes --plan' }],
  }),
  verb({
    name: 'st check',
    summary: 'try whether the store can be read or written',
    description: [
      'read lists the root and looks for the objects that are named; write stores a small object ' +
        'and removes it. `tsbk check` tries more.',
    ],
    positionals: [
      { name: 'read|write', doc: 'What to try.' },
      { name: 'OBJECT', optional: true, repeatable: true, doc: 'With read: must exist.' },
    ],
    flags: [],
    examples: [{ purpose: 'After a change of rights', line: 'tsbk st check write' }],
  }),
  verb({
    name: 'st uploads',
    summary: 'show unfinished uploads, and remove old ones',
    description: [
      'Lists what was begun to be uploaded and neither finished nor taken back. It is invisible ' +
        'and costs space. Running uploads are among them, so only those older than --older-than ' +
        'are removed: tsbk and WAL-G end an object of a backup after about a gigabyte.',
    ],
    positionals: [],
    flags: [
      { name: 'remove', doc: 'Remove those that are old enough.' },
      {
        name: 'older-than',
        value: 'AGE',
        doc: 'Begun this long ago: 1d, 12h. Default: 1d for removing, else all are listed.',
      },
      PLAN,
      JSON_FLAG,
    ],
    examples: [
      { purpose: 'Clean up', line: 'tsbk st uploads --remove --older-than 2d' },
      { purpose: 'What that would remove', line: 'tsbk st uploads --remove --plan' },
    ],
  }),
  verb({
    name: 'st claims',
    summary: 'show unfinished backups, and remove what killed runs left',
    description: [
      'Lists backups without a sentinel: those being made, and what runs left that were killed. ' +
        'Their objects cost space and hold the name. The claim in each tells the process; where ' +
        'that ran on this machine since its start, it is certain whether it still does.',
      '--remove takes away those whose process is gone. With --older-than it also takes those of ' +
        'which nothing is known (other machines, WAL-G) and to which nothing was written for that ' +
        'long; a backup that waits for its WAL writes nothing for up to TSBK_WAL_TIMEOUT.',
    ],
    positionals: [],
    flags: [
      { name: 'remove', doc: 'Remove those that nobody makes any more.' },
      { name: 'older-than', value: 'AGE', doc: 'Also those unknown and untouched this long: 1d.' },
      PLAN,
      JSON_FLAG,
    ],
    examples: [{ purpose: 'What a killed backup left', line: 'tsbk st claims --remove --plan' }],
  }),
];
