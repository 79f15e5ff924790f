import { expect } from 'chai';
import { plannerSchema } from '../../../src/planner/planner-config.ts';

const SERVICE = { name: 'a', tasktypes: ['uri://a'], servicetype: 'uri://b', endpoint: 'http://a.example.org/' };
const paths = (config: unknown): readonly string[] => (plannerSchema.safeParse(config).error?.issues ?? []).map(({ path }) => path.join('.'));

describe('planner configuration', () => {
  it('may be absent', () => {
    expect(plannerSchema.parse(undefined)).to.deep.equal({ standAlone: false, services: [], data: [], peers: [], compose: true, composeHosts: [] });
    expect(plannerSchema.parse({})).to.deep.equal({ standAlone: false, services: [], data: [], peers: [], compose: true, composeHosts: [] });
  });

  it('reads sizes and times', () => {
    const parsed = plannerSchema.parse({ services: [{ ...SERVICE, resources: { cores: 2, memory: '4G', startup: '1m' }, health: { every: 'PT1M' } }] });
    expect(parsed.services[0]).to.deep.include({ resources: { cores: 2, memory: 4 * 2 ** 30, startup: 60 }, health: { timeout: 3, every: 60 } });
  });

  for (const [what, config, path] of [
    ['an unknown key', { services: [{ ...SERVICE, endpiont: 'x' }] }, 'services.0'],
    ['an endpoint that is no http URL', { services: [{ ...SERVICE, endpoint: 'javascript:alert(1)' }] }, 'services.0.endpoint'],
    ['a type with blanks', { services: [{ ...SERVICE, tasktypes: ['a b'] }] }, 'services.0.tasktypes.0'],
    ['no types', { services: [{ ...SERVICE, tasktypes: [] }] }, 'services.0.tasktypes'],
    ['a name twice', { services: [SERVICE, SERVICE] }, 'services'],
    ['an endpoint in info', { services: [{ ...SERVICE, info: { endpoint: 'x' } }] }, 'services.0.info.endpoint'],
    ['a member name that is no XML name', { services: [{ ...SERVICE, info: { 'a b': 'x' } }] }, 'services.0.info.a b'],
    ['a size without unit', { services: [{ ...SERVICE, resources: { memory: 4 } }] }, 'services.0.resources.memory'],
    ['a rule that is none', { services: [{ ...SERVICE, taskinfo: { languages: { only: ['md'] } } }] }, 'services.0.taskinfo.languages'],
    ['a host of compose files that is a URL', { composeHosts: [{ host: 'https://git.example.org' }] }, 'composeHosts.0.host'],
    ['an identifier that is none', { record: { identifier: 'http://x', title: 't', publisher: 'p', contact: { name: 'n' }, created: '2026-01-01', description: 'd', referenceUrl: 'http://x/' } }, 'record.identifier'],
  ] as const) {
    it(`refuses ${what}, naming its place`, () => {
      expect(paths(config)).to.deep.equal([path]);
    });
  }
});
