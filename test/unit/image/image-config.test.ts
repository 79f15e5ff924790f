import { expect } from 'chai';
import { digestOf } from '../../../src/image/digest.ts';
import { checkAgreement, parseImageConfig } from '../../../src/image/image-config.ts';
import { ImageUnacceptable } from '../../../src/image/image-unacceptable.ts';
import type { Descriptor } from '../../../src/image/manifest.ts';
import type { Platform } from '../../../src/image/platform.ts';

type Json = Record<string, unknown>;
const A = digestOf('a');
const B = digestOf('b');

const document = (more: Json = {}): Json => ({ os: 'linux', architecture: 'amd64', config: {}, rootfs: { type: 'layers', diff_ids: [A, B] }, ...more });
const parse = (value: unknown) => parseImageConfig(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'ok';
  } catch (error) {
    if (error instanceof ImageUnacceptable) return error.code;
    throw error;
  }
}

const step = (empty?: boolean | null): Json => (empty === undefined ? { created_by: 'x' } : { empty_layer: empty });

/** title, document, answer */
const table: readonly (readonly [string, unknown, string])[] = [
  ['the least there can be', document({ config: undefined }), 'ok'],
  ['a configuration of null', document({ config: null }), 'ok'],
  ['members of null', document({ config: { User: null, Env: null, Cmd: null, Entrypoint: null, Volumes: null, Labels: null, ExposedPorts: null, Healthcheck: null } }), 'ok'],
  ['unknown members', document({ 'moby.buildkit.cache.v0': 'x', config: { Foo: 1 } }), 'ok'],
  ['no history', document(), 'ok'],
  ['an empty history', document({ history: [] }), 'ok'],
  ['a history that agrees', document({ history: [step(), step(true), step(false), step(true)] }), 'ok'],
  ['a history that is too short', document({ history: [step(), step(true)] }), 'image.layer-count'],
  ['a history that is too long', document({ history: [step(), step(), step()] }), 'image.layer-count'],
  ['a history of empty layers only', document({ history: [step(true)] }), 'image.layer-count'],
  ['empty_layer as a string', document({ history: [{ empty_layer: 'true' }, step(), step()] }), 'image.config'],
  ['no system', document({ os: undefined }), 'image.config'],
  ['an empty system', document({ os: '' }), 'image.config'],
  ['no architecture', document({ architecture: undefined }), 'image.config'],
  ['a variant that is a number', document({ variant: 7 }), 'image.config'],
  ['no rootfs', document({ rootfs: undefined }), 'image.config'],
  ['rootfs of Windows', document({ rootfs: { type: 'layers+base', diff_ids: [] } }), 'image.config'],
  ['diff_ids of null', document({ rootfs: { type: 'layers', diff_ids: null } }), 'ok'],
  ['a diff_id that is no digest', document({ rootfs: { type: 'layers', diff_ids: ['sha256:1'] } }), 'image.config'],
  ['a diff_id that is a number', document({ rootfs: { type: 'layers', diff_ids: [1] } }), 'image.config'],
  ['Env as an object', document({ config: { Env: { A: 'b' } } }), 'image.config'],
  ['Entrypoint as a string', document({ config: { Entrypoint: '/bin/sh' } }), 'image.config'],
  ['Cmd with a number', document({ config: { Cmd: ['a', 1] } }), 'image.config'],
  ['User as a number', document({ config: { User: 0 } }), 'image.config'],
  ['Labels with a number', document({ config: { Labels: { a: 1 } } }), 'image.config'],
  ['Volumes as a list', document({ config: { Volumes: ['/a'] } }), 'image.config'],
  ['config as a list', document({ config: [] }), 'image.config'],
  ['a date that is none', document({ created: 'yesterday' }), 'image.config'],
  ['a date as a number', document({ created: 0 }), 'image.config'],
  ['a list', '[]', 'image.config'],
  ['null', 'null', 'image.config'],
  ['no JSON', '{', 'image.malformed'],
  ['User and user', document({ config: { User: '1000', user: '0' } }), 'image.ambiguous-key'],
];

describe('image configurations', () => {
  for (const [title, value, answer] of table) it(`${title}: ${answer}`, () => expect(codeOf(() => parse(value))).to.equal(answer));

  it('are read whole', () => {
    const parsed = parse(document({
      variant: 'v2',
      created: '2024-02-29T12:00:00.123456789+01:00',
      config: {
        User: '1000:1000',
        Env: ['PATH=/bin', 'A=b=c'],
        Entrypoint: ['/bin/tool'],
        Cmd: ['--help'],
        WorkingDir: '/work',
        Volumes: { '/data': {}, '/Data': {} },
        ExposedPorts: { '80/tcp': {} },
        Labels: { a: '1', A: '2' },
        StopSignal: 'SIGINT',
        Healthcheck: { Test: ['CMD', 'true'], Interval: 5, Timeout: 0, StartPeriod: 90_000_000_000, Retries: 7 },
      },
    }));
    expect(parsed).to.deep.equal({
      platform: { os: 'linux', architecture: 'amd64', variant: 'v2' },
      diffIds: [A, B],
      created: Date.parse('2024-02-29T11:00:00.123Z'),
      config: {
        user: '1000:1000',
        env: ['PATH=/bin', 'A=b=c'],
        entrypoint: ['/bin/tool'],
        command: ['--help'],
        workingDirectory: '/work',
        volumes: ['/data', '/Data'],
        exposedPorts: ['80/tcp'],
        labels: { a: '1', A: '2' },
        stopSignal: 'SIGINT',
        healthcheck: ['CMD', 'true'],
        healthTimes: { interval: 1, startPeriod: 90_000, retries: 7 },
      },
    });
  });

  it('have empty settings where they say nothing', () => {
    expect(parse(document({ config: null })).config).to.deep.equal({
      user: '', env: [], entrypoint: [], command: [], workingDirectory: '', volumes: [], exposedPorts: [], labels: {}, stopSignal: '', healthcheck: [],
    });
  });
});

describe('agreement of configuration, manifest and index', () => {
  const AMD64: Platform = { os: 'linux', architecture: 'amd64', variant: '' };
  const ARM6: Platform = { os: 'linux', architecture: 'arm', variant: 'v6' };
  const entry = (platform?: Descriptor['platform']): Descriptor => ({ mediaType: 'x', digest: A, size: 1, annotations: {}, ...(platform === undefined ? {} : { platform }) });
  const agree = (more: Json, layers: number, of: Descriptor | undefined, wanted: Platform) => codeOf(() => checkAgreement(parse(document(more)), layers, of, wanted));

  /** title, configuration, layers of the manifest, index entry, wanted, answer */
  const cases: readonly (readonly [string, Json, number, Descriptor | undefined, Platform, string])[] = [
    ['all agree', {}, 2, entry({ os: 'linux', architecture: 'amd64' }), AMD64, 'ok'],
    ['no index', {}, 2, undefined, AMD64, 'ok'],
    ['an entry without platform', {}, 2, entry(), AMD64, 'ok'],
    ['more diff_ids than layers', {}, 1, undefined, AMD64, 'image.layer-count'],
    ['fewer diff_ids than layers', {}, 3, undefined, AMD64, 'image.layer-count'],
    ['another architecture than the index says', { architecture: 'arm64' }, 2, entry({ os: 'linux', architecture: 'amd64' }), AMD64, 'image.platform-contradiction'],
    ['another system than the index says', { os: 'windows' }, 2, entry({ os: 'linux', architecture: 'amd64' }), AMD64, 'image.platform-contradiction'],
    ['another variant than the index says', { variant: 'v3' }, 2, entry({ os: 'linux', architecture: 'amd64' }), AMD64, 'image.platform-contradiction'],
    ['a variant that only the index says', { architecture: 'arm' }, 2, entry({ os: 'linux', architecture: 'arm', variant: 'v6' }), ARM6, 'ok'],
    ['another spelling', { architecture: 'x86_64' }, 2, entry({ os: 'linux', architecture: 'amd64', variant: 'v1' }), AMD64, 'ok'],
    ['another platform than wanted', { architecture: 'arm64' }, 2, undefined, AMD64, 'image.platform'],
    ['what the index says and nobody wants', { architecture: 'arm64' }, 2, entry({ os: 'linux', architecture: 'arm64' }), AMD64, 'image.platform'],
    ['a variant that is not wanted', { variant: 'v3' }, 2, undefined, AMD64, 'image.platform'],
  ];
  for (const [title, more, layers, of, wanted, answer] of cases) it(`${title}: ${answer}`, () => expect(agree(more, layers, of, wanted)).to.equal(answer));
});
