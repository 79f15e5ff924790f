import { expect } from 'chai';
import { sightingOf } from '../../../src/policy/base-sighting.ts';
import { commandFindings, configurationFindings, userFor } from '../../../src/policy/configuration-rules.ts';
import type { ConfigurationRule, Rule } from '../../../src/policy/rule.ts';
import { imageOf, type ImageSpec } from '../../support/memory-registry.ts';

const NOW = Date.UTC(2026, 5, 1);
const DAY = 24 * 3600 * 1000;
const BASE = sightingOf(imageOf('a.b/base:1').reference, imageOf('a.b/base:1', { config: { entrypoint: ['/init'], command: ['sh'] } }), NOW);

function rule(config: ConfigurationRule, user?: string): Rule {
  return { name: 'r', images: [], endpoints: false, config, signature: { mode: 'off', signers: [] }, limits: {}, ...(user === undefined ? {} : { user }) };
}

const codes = (spec: ImageSpec, config: ConfigurationRule, user?: string): string =>
  configurationFindings(imageOf('a.b/c:1', spec), rule(config, user), BASE, NOW).map(({ code }) => code).join(' ');

describe('configuration rules', () => {
  const table: readonly (readonly [what: string, spec: ImageSpec, config: ConfigurationRule, codes: string])[] = [
    ['nothing is asked', {}, {}, ''],
    ...(['1000', '1000:1000', '65534:65534'] as const).map((user) => [`user ${user}`, { config: { user } }, { user: 'numeric-non-root' }, ''] as const),
    ...(['', 'root', '0', '00', '0:0', '0:1000', 'app', '1000:users', '+1', ' 1', '1 ', '1:', '-1', '0x10', '99999999999'] as const).map(
      (user) => [`user ${JSON.stringify(user)}`, { config: { user } }, { user: 'numeric-non-root' }, 'image.user'] as const,
    ),
    ['root where any user may be', { config: { user: 'root' } }, { user: 'any' }, ''],
    ['no entrypoint where one is required', {}, { entrypoint: 'required' }, 'image.entrypoint'],
    ['an entrypoint where one is required', { config: { entrypoint: ['/x'] } }, { entrypoint: 'required' }, ''],
    ['an entrypoint where none may be', { config: { entrypoint: ['/x'] } }, { entrypoint: 'none' }, 'image.entrypoint'],
    ["the base's entrypoint", { config: { entrypoint: ['/init'] } }, { entrypoint: 'as-base' }, ''],
    ["another than the base's entrypoint", { config: { entrypoint: ['/init', 'x'] } }, { entrypoint: 'as-base' }, 'image.entrypoint'],
    ['one of the pinned entrypoints', { config: { entrypoint: ['/b', 'c'] } }, { entrypoint: [['/a'], ['/b', 'c']] }, ''],
    ['pinned words glued together', { config: { entrypoint: ['/b c'] } }, { entrypoint: [['/b', 'c']] }, 'image.entrypoint'],
    ['volumes, unasked', { config: { volumes: ['/data', '/x'] } }, {}, 'image.volumes image.volumes'],
    ['a volume that is allowed', { config: { volumes: ['/data'] } }, { volumes: ['/data'] }, ''],
    ['another volume than allowed', { config: { volumes: ['/data', '/data/x'] } }, { volumes: ['/data'] }, 'image.volumes'],
    ['any volume', { config: { volumes: ['/data'] } }, { volumes: 'any' }, ''],
    ['ports, unasked', { config: { exposedPorts: ['80/tcp'] } }, {}, ''],
    ['a port where none may be', { config: { exposedPorts: ['80/tcp'] } }, { ports: 'none' }, 'image.ports'],
    ['another port than allowed', { config: { exposedPorts: ['80/tcp', '81/tcp'] } }, { ports: ['80/tcp'] }, 'image.ports'],
    ['a health check where none may be', { config: { healthcheck: ['CMD', 'x'] } }, { healthcheck: 'none' }, 'image.healthcheck'],
    ['a health check switched off', { config: { healthcheck: ['NONE'] } }, { healthcheck: 'none' }, ''],
    ['a health check, unasked', { config: { healthcheck: ['CMD', 'x'] } }, {}, ''],
    ['a missing label', {}, { labels: { required: { a: '*' } } }, 'image.labels'],
    ['a label of another value', { config: { labels: { a: 'MIT2' } } }, { labels: { required: { a: 'MIT' } } }, 'image.labels'],
    ['a label that matches', { config: { labels: { a: 'MIT' } } }, { labels: { required: { a: 'M*' } } }, ''],
    ['a label called like a member of every object', {}, { labels: { required: { constructor: '*' } } }, 'image.labels'],
    ['a forbidden label', { config: { labels: { 'com.x.y': '' } } }, { labels: { forbidden: ['com.*'] } }, 'image.labels'],
    ['layers of the size that is allowed', { size: 2 ** 20 }, { maxSize: '1M' }, ''],
    ['layers of one byte more', { size: 2 ** 20 + 1 }, { maxSize: '1M' }, 'image.size'],
    ['as many layers as allowed', { layers: ['a', 'b'] }, { maxLayers: 2 }, ''],
    ['one layer more', { layers: ['a', 'b', 'c'] }, { maxLayers: 2 }, 'image.layers'],
    ['an architecture that is not listed', {}, { architectures: ['arm64'] }, 'image.architecture'],
    ['an architecture that is', {}, { architectures: ['arm64', 'amd64'] }, ''],
    ['no date', {}, { maxAge: '30d' }, 'image.age'],
    ['a date that is recent', { created: NOW - 30 * DAY }, { maxAge: '30d' }, ''],
    ['a date that is not', { created: NOW - 30 * DAY - 1 }, { maxAge: '30d' }, 'image.age'],
    ['a date a little in the future', { created: NOW + DAY }, { maxAge: '30d' }, ''],
    ['a date in the future', { created: NOW + DAY + 1 }, { maxAge: '30d' }, 'image.age'],
    ['LD_PRELOAD, unasked', { config: { env: ['LD_PRELOAD=x'] } }, {}, 'image.environment'],
    ['everything at once', { config: { env: ['LD_A=x'], volumes: ['/v'] }, size: 2 ** 30 }, { user: 'numeric-non-root', maxSize: '1M' }, 'image.user image.environment image.volumes image.size'],
  ];
  for (const [what, spec, config, expected] of table) it(`${what}: ${expected || 'fine'}`, () => expect(codes(spec, config)).to.equal(expected));

  it('ask for a numeric user where the container runs as the image says', () => {
    expect(codes({ config: { user: 'app' } }, {}, 'image')).to.equal('image.user');
    expect(codes({ config: { user: '1000' } }, { user: 'any' }, 'image')).to.equal('');
  });

  it('escape what comes from the image', () => {
    const [finding] = configurationFindings(imageOf('a.b/c:1', { config: { user: 'x\n\u202eforged' } }), rule({ user: 'numeric-non-root' }), BASE, NOW);
    expect(finding?.text).to.not.match(/[\n\u202e]/);
  });
});

describe('the command that would run', () => {
  const table: readonly (readonly [what: string, ofImage: readonly string[], asked: readonly string[], config: ConfigurationRule, expected: string])[] = [
    ['any', ['sh'], ['x'], {}, ''],
    ["the image's, pinned", ['/a'], [], { command: [['/a']] }, ''],
    ["the image's, not the pinned one", ['/b'], [], { command: [['/a']] }, 'image.command image'],
    ["the request's, not the pinned one", ['/a'], ['/b'], { command: [['/a']] }, 'image.command command'],
    ["the request's, pinned", ['/b'], ['/a'], { command: [['/a']] }, ''],
    ["the base's", ['sh'], [], { command: 'as-base' }, ''],
    ["the request's where it must be the base's", ['sh'], ['ls'], { command: 'as-base' }, 'image.command command'],
    ['none, required', [], [], { command: 'required' }, 'image.command image'],
    ['none at all', [], [], { entrypointOrCommand: 'required' }, 'image.command command'],
    ["the request's where the image has none", [], ['x'], { entrypointOrCommand: 'required' }, ''],
  ];
  for (const [what, ofImage, asked, config, expected] of table) {
    it(`${what}: ${expected || 'fine'}`, () => {
      const image = imageOf('a.b/c:1', { config: { command: ofImage } });
      expect(commandFindings(image, { command: asked }, rule(config), BASE).map(({ code, path }) => `${code} ${path}`).join()).to.equal(expected);
    });
  }
});

describe('the user a container runs as', () => {
  for (const [ofRule, ofImage, user] of [[undefined, '0', '9:9'], ['1:2', '0', '1:2'], ['image', '7', '7:7'], ['image', '7:8', '7:8']] as const) {
    it(`is ${user} for ${ofRule ?? 'no word'} of the rule and ${ofImage} of the image`, () => {
      expect(userFor(imageOf('a.b/c:1', { config: { user: ofImage } }), rule({}, ofRule), '9:9')).to.equal(user);
    });
  }
});
