import { expect } from 'chai';
import type { ComposeNode } from '../../../src/compose/compose-node.ts';
import { formatPath } from '../../../src/compose/compose-problem.ts';
import { readComposeYaml } from '../../../src/compose/compose-yaml.ts';
import { resolveExtends } from '../../../src/compose/extends.ts';

function value(node: ComposeNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(value);
  return Object.fromEntries([...node.entries].map(([name, member]) => [name, value(member)]));
}

function resolved(services: string): { readonly services: Record<string, unknown>; readonly problems: readonly string[] } {
  const { root, problems } = resolveExtends(readComposeYaml(`services:\n${services}`).root);
  const node = root.entries.get('services');
  return { services: node === undefined ? {} : (value(node) as Record<string, unknown>), problems: problems.map(({ path, text }) => `${formatPath(path)}: ${text}`) };
}

const BASE = '  base: {image: i, command: [a, b], environment: {A: 1, B: 2}, ports: ["1"], cap_drop: [X], healthcheck: {test: [CMD, x], retries: 3}, deploy: {resources: {limits: {cpus: 1}}}, tmpfs: /a, dns_search: [a, b], extra_hosts: ["a:1.1.1.1"]}\n';

const MERGES: readonly (readonly [what: string, service: string, expected: Record<string, unknown>])[] = [
  ['takes everything', '{extends: base}', { image: 'i', command: ['a', 'b'], environment: { A: 1, B: 2 }, ports: ['1'] }],
  ['takes everything, in the long form', '{extends: {service: base}}', { image: 'i' }],
  ['its own values win', '{extends: base, image: j}', { image: 'j' }],
  ['mappings are merged', '{extends: base, environment: {B: 3, C: 4}}', { environment: { A: 1, B: 3, C: 4 } }],
  ['deep mappings are merged', '{extends: base, deploy: {resources: {limits: {memory: 1g}}}}', { deploy: { resources: { limits: { cpus: 1, memory: '1g' } } } }],
  ['lists follow each other', '{extends: base, ports: ["2"], cap_drop: [Y]}', { ports: ['1', '2'], cap_drop: ['X', 'Y'] }],
  ['commands are replaced', '{extends: base, command: [c]}', { command: ['c'] }],
  ['tests are replaced', '{extends: base, healthcheck: {test: [NONE]}}', { healthcheck: { test: ['NONE'], retries: 3 } }],
  ['nothing takes nothing away', '{extends: base, environment: null, ports: , deploy: {resources: null}}', { environment: { A: 1, B: 2 }, ports: ['1'], deploy: { resources: { limits: { cpus: 1 } } } }],
  ['but the command', '{extends: base, command: null}', { command: null }],
  ['a text is a list of one', '{extends: base, tmpfs: [/b], dns_search: c}', { tmpfs: ['/a', '/b'], dns_search: ['a', 'b', 'c'] }],
  ['hosts in a list are merged with a mapping', '{extends: base, extra_hosts: {b: 2.2.2.2}}', { extra_hosts: { a: '1.1.1.1', b: '2.2.2.2' } }],
  ['a list of NAME=value is merged with a mapping', '{extends: base, environment: [B=3, C]}', { environment: { A: 1, B: '3', C: null } }],
];

describe('extends', () => {
  for (const [what, service, expected] of MERGES) {
    it(what, () => {
      const { services, problems } = resolved(`${BASE}  web: ${service}\n`);
      expect(problems).to.deep.equal([]);
      expect(services['web']).to.deep.include(expected);
      expect(services['web']).not.to.have.property('extends');
    });
  }

  it('goes through several services, whatever their order', () => {
    const { services } = resolved('  c: {extends: b, x-c: 1}\n  b: {extends: a, x-b: 1}\n  a: {image: i, x-a: 1}\n');
    expect(services['c']).to.deep.equal({ image: 'i', 'x-a': 1, 'x-b': 1, 'x-c': 1 });
  });

  it('keeps the place where a value is written', () => {
    const { root } = resolveExtends(readComposeYaml('services:\n  base:\n    privileged: true\n  web:\n    extends: base\n').root);
    const services = root.entries.get('services');
    const web = services?.kind === 'map' ? services.entries.get('web') : undefined;
    const privileged = web?.kind === 'map' ? web.entries.get('privileged') : undefined;
    expect(privileged).to.deep.include({ line: 3, path: ['services', 'base', 'privileged'] });
  });

  const chain = (length: number): string => Array.from({ length }, (_, i) => `  s${String(i)}: {extends: s${String(i + 1)}}\n`).join('') + `  s${String(length)}: {image: i}\n`;
  const PROBLEMS: readonly (readonly [what: string, services: string, said: RegExp])[] = [
    ['a service that is not there', '  web: {extends: other}\n', /^services\.web\.extends: .*no service "other"/],
    ['itself', '  web: {extends: web}\n', /in a circle/],
    ['a circle', '  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n', /in a circle/],
    ['nine in a row', chain(9), /more than 8/],
    ['a file', '  web: {extends: {file: other.yml, service: web}}\n', /^services\.web\.extends\.file: .*another file/],
    ['a list', '  web: {extends: [a]}\n', /names no service/],
    ['nothing', '  web: {extends: {}}\n', /names no service/],
    ['a name that would break a line', '  web: {extends: "a\\nb\\u202e"}\n', /"a\\nb\\u202e"/],
  ];
  for (const [what, services, said] of PROBLEMS) {
    it(`refuses ${what}`, () => {
      expect(resolved(services).problems[0]).to.match(said);
    });
  }

  it('takes eight in a row', () => {
    expect(resolved(chain(7)).problems).to.deep.equal([]);
  });
});
