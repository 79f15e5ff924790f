import { expect } from 'chai';
import { ANONYMOUS } from '../../../src/caller.ts';
import { basesLines, basesReport } from '../../../src/policy/bases-report.ts';
import { explain } from '../../../src/policy/explain.ts';
import { parseExpectations, testExpectations } from '../../../src/policy/policy-expectations.ts';
import { PolicyInvalid, readYaml } from '../../../src/policy/policy-file.ts';
import { JudgedSite, taskFor } from '../../support/site-policy.ts';

const { signal } = new AbortController();
const POLICY = `
bases:
  - {name: base, image: "reg.example/base:1", maxAge: 30d}
  - {name: lost, image: "down.example/base:1"}
rules:
  - {name: no-latest, images: ["**:latest"], deny: use a version}
  - {name: staff, images: ["reg.example/**"], groups: [staff]}
  - {name: derived, images: ["reg.example/demo/**"], base: [base]}
  - {name: other, images: ["reg.example/other/**"], base: [lost]}
`;

describe('what operators are told', () => {
  let site: JudgedSite;
  beforeEach(async () => {
    site = await new JudgedSite().start(POLICY);
    site.registry.put('reg.example/base:1', { layers: ['base'] });
    site.registry.put('reg.example/demo/good:1', { layers: ['base', 'top'], indexed: true });
    site.registry.put('reg.example/demo/bad:1', { layers: ['x'], config: { volumes: ['/data'] } });
    site.registry.takeDown('down.example');
  });

  describe('of one image', () => {
    const told = async (image: string): Promise<string> => explain(taskFor(image), await site.policy.judge(taskFor(image), ANONYMOUS, signal)).join('\n');

    it('is each rule and each check, and what would run', async () => {
      const text = await told('reg.example/demo/good:1');
      expect(text).to.match(/no-latest: is for other images\n {2}staff: is for other callers\n {2}derived: decides\n/);
      expect(text).to.match(/ok {6}base: built on base \(sha256:/);
      expect(text).to.match(/index {5}sha256:.*\n {2}manifest {2}sha256:/);
      expect(text).to.match(/answer {4}YES \(rule derived\)\n {2}would run sha256:\w{64}\n {2}as user 65534:65534 with 1 cores and 512M of memory$/);
    });

    it('is every reason of a no', async () => {
      const text = await told('reg.example/demo/bad:1');
      expect(text).to.match(/NO {6}base\n {12}image\.base: /);
      expect(text).to.match(/answer {4}NO \(rule derived\)\n {2}image\.base: .*\n {2}image\.volumes: /);
    });

    it('is that no rule takes it', async () => expect(await told('reg.example/x:1')).to.match(/none takes this image from this caller[^]*answer {4}NO \(rule none\)/));
    it('is not recorded as a decision', async () => {
      await told('reg.example/demo/good:1');
      expect(site.audit.entries).to.deep.equal([]);
    });
  });

  describe('of their expectations', () => {
    const test = async (yaml: string): Promise<string[]> => {
      const results = await testExpectations(parseExpectations(readYaml(yaml)), async (task, caller) => (await site.policy.judge(task, caller, signal)).verdict, signal);
      return results.map(({ met, text }) => `${met ? 'met' : 'not met'}: ${text}`);
    };
    const table: readonly (readonly [expected: string, text: RegExp])[] = [
      ['{image: "reg.example/demo/good:1", answer: yes}', /^met: ok .* yes by rule derived on base base$/],
      ['{image: "reg.example/demo/good:1", answer: yes, rule: derived, base: base}', /^met/],
      ['{image: "reg.example/demo/good:1", answer: no}', /^not met: FAILED .*expected no, got yes by rule derived/],
      ['{image: "reg.example/demo/good:1", answer: yes, rule: staff}', /^not met: .*expected yes by rule staff, got/],
      ['{image: "reg.example/demo/good:1", answer: yes, base: lost}', /^not met: .*on base lost/],
      ['{image: "reg.example/demo/good:1", answer: yes, rule: staff, caller: {id: ann, groups: [staff]}}', /^met/],
      ['{image: "reg.example/demo/good:1", answer: no, cores: 64, reasons: [resources.cores]}', /^met/],
      ['{image: "reg.example/demo/good:1", answer: no, memory: 64G, env: {LD_A: x}, reasons: [env.forbidden, resources.memory]}', /^met/],
      ['{image: "reg.example/demo/bad:1", answer: no, reasons: [image.signature]}', /^not met: .*got no by rule derived \(image.base, image.volumes\)/],
      ['{image: "reg.example/x:1", answer: no, rule: none}', /^met/],
      ['{image: "reg.example/demo/x", answer: no, rule: no-latest, reasons: [image.denied-by-rule]}', /^met/],
      ['{image: "down.example/x:1", answer: no, rule: none}', /^met/],
    ];
    for (const [expected, text] of table) it(expected, async () => expect((await test(`expect: [${expected}]`))[0]).to.match(text));

    it('that cannot be judged, neither of them', async () => {
      site.registry.takeDown('reg.example');
      const both = await test('expect: [{image: "reg.example/demo/good:1", answer: yes}, {image: "reg.example/demo/good:1", answer: no}]');
      for (const result of both) expect(result).to.match(/^not met: .*cannot be judged/);
    });

    for (const wrong of ['{}', '{expect: []}', '{expect: [{image: "UP/x", answer: yes}]}', '{expect: [{image: "a.b/c", answer: maybe}]}', '{expect: [{image: "a.b/c", answer: yes, foo: 1}]}', '{expect: [{image: "a.b/c", answer: true}]}']) {
      it(`refuses ${wrong}`, () => expect(() => parseExpectations(readYaml(wrong))).to.throw(PolicyInvalid));
    }
  });

  describe('of their bases', () => {
    const lines = (): string => basesLines(basesReport(site.policy.policy, site.policy.catalogue, site.clock.now())).join('\n');

    it('is what each has named and when, and what is wrong', async () => {
      await site.policy.catalogue.refresh();
      expect(lines()).to.match(/^base {2}reg\.example\/base:1 {2}since 2026-01-01T00:00:00\.000Z\n {2}sha256:\w{64} {2}2026-01-01\S+ to 2026-01-01\S+ {2}1 layers {2}linux\/amd64\nlost {2}down\.example\/base:1 {2}never seen {2}\(the registry down\.example does not answer\)$/);
    });

    it('is which digests do not count any more', async () => {
      await site.policy.catalogue.refresh();
      site.registry.put('reg.example/base:1', { layers: ['newer'] });
      site.clock.advance(31 * 24 * 3600 * 1000);
      await site.policy.catalogue.refresh();
      expect(basesReport(site.policy.policy, site.policy.catalogue, site.clock.now())[0]?.digests.map(({ counts, why }) => [counts, why])).to.deep.equal([
        [true, null],
        [false, 'older than maxAge'],
      ]);
      const [newest] = site.policy.catalogue.sightingsOf(site.policy.policy.bases[0]!);
      await site.start(`revoked: ["${newest?.manifestDigest ?? ''}"]\n${POLICY}`);
      expect(lines()).to.include('does not count: revoked');
    });

    it('is that there are none', async () => {
      await site.start('rules: []');
      expect(lines()).to.equal('no base is approved');
    });
  });
});
