import { expect } from 'chai';
import { grantedResources, portFindings, resourceFindings } from '../../../src/policy/resource-policy.ts';
import type { Rule } from '../../../src/policy/rule.ts';
import { SITE, taskFor } from '../../support/site-policy.ts';

const G = 2 ** 30;
const rule = (limits: Rule['limits']): Rule => ({ name: 'r', images: [], endpoints: false, config: {}, signature: { mode: 'off', signers: [] }, limits });

describe('resources asked against offered', () => {
  type Asked = { readonly cores?: number; readonly memory?: number };
  const table: readonly (readonly [limits: Rule['limits'], asked: Asked, outcome: string | readonly [cores: number, memory: number]])[] = [
    [{}, {}, [1, G / 2]],
    [{}, { cores: 4, memory: 4 * G }, [4, 4 * G]],
    [{}, { cores: 4.001 }, 'resources.cores'],
    [{}, { memory: 4 * G + 1 }, 'resources.memory'],
    [{ cores: 2, memory: G }, { cores: 3, memory: 2 * G }, 'resources.cores resources.memory'],
    [{ cores: 2, memory: G }, { cores: 2, memory: G }, [2, G]],
    [{ cores: 100, memory: 100 * G }, { cores: 5 }, 'resources.cores'],
    [{ cores: 0.5, memory: G / 4 }, {}, [0.5, G / 4]],
    [{}, { cores: 0 }, 'resources.cores'],
    [{}, { cores: -1, memory: -1 }, 'resources.cores resources.memory'],
    [{}, { cores: NaN, memory: Infinity }, 'resources.cores resources.memory'],
  ];
  for (const [limits, asked, outcome] of table) {
    it(`${JSON.stringify(asked)} under ${JSON.stringify(limits)}: ${String(outcome)}`, () => {
      const task = taskFor('a.b/c:1', asked);
      const findings = resourceFindings(task, rule(limits), SITE);
      if (typeof outcome === 'string') return void expect(findings.map(({ code }) => code).join(' ')).to.equal(outcome);
      expect(findings).to.deep.equal([]);
      const granted = grantedResources(task, rule(limits), SITE);
      expect([granted.cores, granted.memory]).to.deep.equal(outcome);
    });
  }

  it('says how much can be asked for', () => {
    expect(resourceFindings(taskFor('a.b/c:1', { memory: 8 * G }), rule({ memory: G }), SITE)[0]?.text).to.include('1G at most');
  });
});

describe('ports asked for', () => {
  const asked = { ...taskFor('registry.test/a:1'), ports: [8080] };
  for (const [endpoints, offered, codes] of [[true, true, []], [false, true, ['ports.not-allowed']], [true, false, ['ports.not-offered']], [false, false, ['ports.not-allowed']]] as const) {
    it(`the rule ${endpoints ? 'lets' : 'does not let'} them serve, the site ${offered ? 'has' : 'has no'} way: ${codes.join() || 'granted'}`, () => {
      const findings = portFindings(asked, { ...rule({}), endpoints }, { ...SITE, endpoints: offered });
      expect(findings.map(({ code }) => code)).to.deep.equal(codes);
      expect(portFindings({ ...asked, ports: [] }, { ...rule({}), endpoints }, { ...SITE, endpoints: offered })).to.deep.equal([]);
    });
  }
});
