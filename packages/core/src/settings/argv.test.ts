import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { parseArgv, type FlagSpec } from './argv.ts';

const FLAGS: readonly FlagSpec[] = [
  { name: 'permanent', short: 'p', doc: 'x' },
  { name: 'full', short: 'f', doc: 'x' },
  { name: 'label', short: 'l', value: 'TEXT', doc: 'x' },
  { name: 'mapping', value: 'OLD=NEW', repeatable: true, doc: 'x' },
  { name: 'rating-composer', short: 'r', walg: 'ignored', doc: 'not needed' },
  { name: 'mask', value: 'GLOB', walg: 'refused', doc: 'files would be missing' },
];

const parse = (...args: readonly string[]) => parseArgv(args, FLAGS);

describe('parseArgv', () => {
  it('takes values attached and apart, long and short', () => {
    for (const args of [
      ['--label', 'x y'],
      ['--label=x y'],
      ['-l', 'x y'],
      ['-lx y'],
      ['-l=x y'],
    ]) {
      assert.equal(parse(...args).flags.text('label'), 'x y', args.join(' '));
    }
  });

  it('takes several switches in one', () => {
    const { flags } = parse('-pf');
    assert.deepEqual([flags.on('permanent'), flags.on('full')], [true, true]);
    assert.equal(parse().flags.on('full'), undefined);
    assert.equal(parse('--full=false').flags.on('full'), false);
  });

  it('takes what begins with a dash as a value where a value is due', () => {
    assert.equal(parse('--label', '--full').flags.text('label'), '--full');
  });

  it('collects what may be repeated, and refuses what may not', () => {
    const { flags } = parse('--mapping', '/a=/b', '--mapping=/c=/d');
    assert.deepEqual(flags.all('mapping'), ['/a=/b', '/c=/d']);
    assert.throws(() => parse('--label', 'a', '--label', 'b'), {
      message: '--label is given twice',
    });
    assert.throws(() => parse('--lanes=1', '--lanes=2'), { message: '--lanes is given twice' });
  });

  it('takes settings in our spelling and in WAL-G’s', () => {
    const line =
      '--s3-prefix s3://b --walg-tar-disable-fsync true --turbo LATEST --pghost=/run --walg-nobody-knows x';
    const { settings, positionals } = parse(...line.split(' '));
    assert.deepEqual(settings, {
      's3-prefix': 's3://b',
      'walg-tar-disable-fsync': 'true',
      turbo: 'true',
      pghost: '/run',
      'walg-nobody-knows': 'x',
    });
    assert.deepEqual(positionals, ['LATEST']);
  });

  it('ends options at --, and takes a single dash as an argument', () => {
    const { positionals, help } = parse('-', '--', '--full', '-h');
    assert.deepEqual(positionals, ['-', '--full', '-h']);
    assert.equal(help, false);
  });

  it('an option that nobody knows is refused with the nearest one', () => {
    assert.throws(() => parse('--permanant'), { code: 'usage', hint: 'Did you mean --permanent?' });
    assert.throws(() => parse('--s3-prefx=x'), {
      code: 'usage',
      hint: 'Did you mean --s3-prefix?',
    });
    assert.throws(() => parse('-x'), { code: 'usage', message: '-x is no option here' });
    assert.throws(() => parse('--'.concat('q'.repeat(40))), { code: 'usage', hint: undefined });
  });

  it('an option without its value is refused, and so is an empty one', () => {
    for (const args of [['--label'], ['--label='], ['--label', ''], ['-l'], ['--s3-prefix']]) {
      assert.throws(() => parse(...args), { code: 'usage', message: /needs a value/ });
    }
  });

  it('a switch with a value of its own is refused', () => {
    assert.throws(() => parse('--full=maybe'), { code: 'usage', message: /is a switch/ });
  });

  it('options of WAL-G’s are told, or refused where the result would be wrong', () => {
    assert.deepEqual(
      parse('-r').ignored.map(({ name }) => name),
      ['rating-composer'],
    );
    assert.throws(() => parse('--mask', 'base/*'), {
      code: 'unsupported-setting',
      message: /--mask cannot be obeyed: files would be missing/,
    });
  });

  it('an error never repeats a value', () => {
    for (const args of [
      ['--libsodium-kye=canary'],
      ['--full=canary'],
      ['--walg-libsodium-key=canary', '--walg-libsodium-key=canary'],
    ]) {
      assert.throws(
        () => parse(...args),
        (error) => {
          assert.ok(isTsbkError(error));
          assert.ok(!`${error.message} ${error.hint}`.includes('canary'));
          return true;
        },
      );
    }
  });

  it('gives back every argument that was put in, wherever the options stand', () => {
    const words = fc.array(fc.string({ minLength: 1 }).filter((text) => !text.startsWith('-')));
    const options = fc.array(
      fc.oneof(
        fc.constantFrom(['--full'], ['-p'], ['-fp']),
        fc.string({ minLength: 1 }).map((text) => [`--mapping=${text}`]),
        fc.string({ minLength: 1 }).map((text) => ['--mapping', text]),
      ),
    );
    fc.assert(
      fc.property(words, options, fc.nat(), (positionals, given, seed) => {
        const parts: (readonly string[])[] = positionals.map((word) => [word]);
        given.forEach((option, index) => {
          parts.splice((seed + index * 7) % (parts.length + 1), 0, option);
        });
        const parsed = parse(...parts.flat());
        assert.deepEqual(parsed.positionals, positionals);
        assert.equal(
          parsed.flags.all('mapping').length,
          given.filter(([first = '']) => first.startsWith('--mapping')).length,
        );
      }),
    );
  });

  it('either understands any arguments or says usage, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.string().map((text) => `--${text}`),
            fc.string().map((text) => `-${text}`),
          ),
        ),
        (args) => {
          try {
            parse(...args);
          } catch (error) {
            assert.ok(isTsbkError(error), String(error));
          }
        },
      ),
    );
  });
});
