import { expect } from 'chai';
import { parsePolicyText } from '../../../src/policy/policy-file.ts';
import { policyWarnings } from '../../../src/policy/policy-warnings.ts';
import { compilePolicy } from '../../../src/policy/rule.ts';
import { JudgedSite } from '../../support/site-policy.ts';

const ONE = 'rules: [{name: one, images: ["reg.example/one/**"]}]';
const TWO = 'rules: [{name: two, images: ["reg.example/two/**"]}]';

describe('a policy that is replaced', () => {
  let site: JudgedSite;
  beforeEach(async () => {
    site = await new JudgedSite().start(ONE);
    site.registry.put('reg.example/one/x:1');
    site.registry.put('reg.example/two/x:1');
  });
  const answers = async (): Promise<string[]> => [await site.answer('reg.example/one/x:1'), await site.answer('reg.example/two/x:1')];
  const reload = (yaml: string): ReturnType<JudgedSite['policy']['reload']> => site.policy.reload(async () => parsePolicyText(yaml));

  it('decides by the new one from then on', async () => {
    const before = site.policy.policy.hash;
    expect(await reload(TWO)).to.deep.equal({ adopted: true, changed: true, warnings: [] });
    expect(await answers()).to.deep.equal(['image.not-listed', 'yes']);
    expect(site.policy.policy.hash).not.to.equal(before);
  });

  it('stays when the new one is wrong, and says what is wrong', async () => {
    const adoption = await reload('rules: [{name: x, images: [nope], foo: 1}]');
    expect(adoption.adopted ? [] : adoption.problems.map(({ path }) => path)).to.have.members(['rules[0].images[0]', 'rules[0].foo']);
    expect(await answers()).to.deep.equal(['yes', 'image.not-listed']);
  });

  it('stays when the new one is the same, written differently', async () => {
    expect(await reload(`# the same\n${ONE}`)).to.deep.equal({ adopted: true, changed: false, warnings: [] });
  });

  it('does not hide that it could not be read at all', async () => {
    const error = await site.policy.reload(() => Promise.reject(new Error('bug'))).then(() => undefined, String);
    expect(error).to.include('bug');
  });

  it('ends the questions that it has begun', async () => {
    let open: () => void = () => undefined;
    site.registry.gate = new Promise((resolve) => (open = resolve));
    const judging = site.judge('reg.example/one/x:1');
    await reload(TWO);
    open();
    const verdict = await judging;
    expect([verdict.accepted, verdict.decision.rule]).to.deep.equal([true, 'one']);
  });

  it('keeps what was seen of bases that are approved again', async () => {
    const based = 'bases: [{name: b, image: "reg.example/base:1"}]\nrules: [{name: r, images: ["reg.example/one/**"], base: [b]}]';
    site.registry.put('reg.example/base:1', { layers: ['base'] });
    await reload(based);
    expect(await answers()).to.deep.equal(['yes', 'image.not-listed']);
    await reload(ONE);
    await reload(based);
    site.registry.asked.length = 0;
    await answers();
    expect(site.registry.asked).to.deep.equal(['resolve reg.example/one/x:1']);
  });

  it('keeps the bases of the new one current', async () => {
    site.registry.put('reg.example/base:1', { layers: ['base'] });
    await reload('bases: [{name: b, image: "reg.example/base:1"}]\nrules: []');
    await site.policy.catalogue.refresh();
    expect(site.registry.asked).to.include('currentDigest reg.example/base:1');
  });

  it('warns of what the new one gives away', async () => {
    expect(await reload('rules: [{name: x, images: ["**"], unrestricted: true}]')).to.deep.include({ warnings: ['rule "x" accepts every image of every registry'] });
    expect(site.policy.warnings()).to.have.length(1);
  });

  it('warns of rules for registries that the site does not ask', async () => {
    const asked = ['docker.io', 'localhost:5000', 'eu.mirror.example'];
    const given = (images: string): readonly string[] => policyWarnings(compilePolicy(parsePolicyText(`rules: [{name: no, images: ["quay.io/**"], deny: no}, {name: x, images: ${images}, base: [b]}]\nbases: [{name: b, image: "docker.io/b:1"}]`)), asked);
    expect(given('["index.docker.io/a/*", "localhost:5000/**", "*.mirror.example/**", "**"]')).to.deep.equal([]);
    expect(given('["docker.io/a/*", "ghcr.io/x/*", "ghcr.io/y/*", "localhost/**", "*.example.net/**"]')).to.deep.equal(
      ['ghcr.io', 'localhost', '*.example.net'].map((host) => `rule "x" takes images of ${host}, which is not in the site's registries: all of them are refused`),
    );
  });
});
