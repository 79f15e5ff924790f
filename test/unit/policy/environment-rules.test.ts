import { expect } from 'chai';
import { imageEnvironment, requestEnvironment } from '../../../src/policy/environment-rules.ts';

type Rule = Parameters<typeof requestEnvironment>[1];
const ENGINE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

describe("an image's environment", () => {
  const table: readonly (readonly [what: string, env: readonly string[], rule: Rule, base: string | null | undefined, refusals: number])[] = [
    ['nothing', [], undefined, undefined, 0],
    ['ordinary variables', ['LANG=C', 'ld_preload=x', 'PYTHONPATH=/x', 'a.b-c=1'], undefined, undefined, 0],
    ['LD_PRELOAD', ['LD_PRELOAD=/x.so'], undefined, undefined, 1],
    ['LD_PRELOAD without a value', ['LD_PRELOAD'], undefined, undefined, 1],
    ['each LD_ variable', ['LD_AUDIT=a', 'LD_LIBRARY_PATH=b'], undefined, undefined, 2],
    ['LD_LIBRARY_PATH where allowed', ['LD_LIBRARY_PATH=b'], { allow: ['LD_LIBRARY_PATH'] }, undefined, 0],
    ['LD_PRELOAD where another is allowed', ['LD_PRELOAD=b'], { allow: ['LD_LIBRARY_PATH'] }, undefined, 1],
    ['what is allowed and denied', ['LD_PRELOAD=b'], { allow: ['*'], deny: ['LD_PRELOAD'] }, undefined, 1],
    ['what the rule denies', ['http_proxy=x', 'HTTP_PROXY=x'], { deny: ['*_proxy', '*_PROXY'] }, undefined, 2],
    ['a variable without a name', ['=x'], undefined, undefined, 1],
    ["the engine's PATH", [`PATH=${ENGINE_PATH}`], undefined, '/opt/bin', 0],
    ["the base's PATH", ['PATH=/opt/bin:/bin'], undefined, '/opt/bin:/bin', 0],
    ['another PATH than the base', ['PATH=/opt/bin:/bin'], undefined, '/bin', 1],
    ['a PATH where the base has none', ['PATH=/opt/bin:/bin'], undefined, null, 1],
    ['another PATH than the base, allowed', ['PATH=/opt/bin:/bin'], { allow: ['PATH'] }, '/bin', 0],
    ['two PATHs, one of them changed', ['PATH=/evil', 'PATH=/bin'], undefined, '/bin', 1],
    ['any absolute PATH without a base', ['PATH=/opt/conda/bin:/bin'], undefined, undefined, 0],
    ['a relative PATH', ['PATH=bin:/bin'], undefined, undefined, 1],
    ['an empty directory in PATH', ['PATH=/bin:'], undefined, undefined, 1],
    ['a PATH where a job can write', ['PATH=/tmp/bin:/bin'], undefined, undefined, 1],
    ['a PATH that climbs to where a job can write', ['PATH=/usr/../tmp'], undefined, undefined, 1],
    ['a PATH that doubles slashes', ['PATH=//tmp'], undefined, undefined, 1],
    ['a PATH that only looks like it', ['PATH=/tmpfs/bin:/workshop'], undefined, undefined, 0],
  ];
  for (const [what, env, rule, base, refusals] of table) {
    it(`${refusals === 0 ? 'may have' : 'may not have'} ${what}`, () => {
      const findings = imageEnvironment(env, rule, base);
      expect(findings.map(({ code }) => code)).to.deep.equal(Array.from({ length: refusals }, () => 'image.environment'));
    });
  }
});

describe("a request's environment", () => {
  const table: readonly (readonly [what: string, env: Record<string, string>, rule: Rule, refusals: readonly string[]])[] = [
    ['ordinary variables', { BAND: 'r', _x1: '' }, undefined, []],
    ['LD_PRELOAD', { LD_PRELOAD: '/x' }, undefined, ['env.forbidden env.LD_PRELOAD']],
    ['PATH, even that of the engine', { PATH: ENGINE_PATH }, undefined, ['env.forbidden env.PATH']],
    ['PATH where allowed', { PATH: '/x' }, { allow: ['PATH'] }, []],
    ['what the rule denies', { A_PROXY: 'x' }, { deny: ['*_PROXY'] }, ['env.forbidden env.A_PROXY']],
    ['a name with an equals sign', { 'A=B': 'x' }, undefined, ['env.name env."A=B"']],
    ['an empty name', { '': 'x' }, undefined, ['env.name env.""']],
    ['a name that begins with a digit', { '1A': 'x' }, undefined, ['env.name env."1A"']],
    ['a name with a newline', { 'A\nB': 'x' }, undefined, ['env.name env."A\\nB"']],
    ['a null character', { A: 'x\0y' }, undefined, ['env.value env.A']],
    ['two wrong ones', { '1': 'x', LD_AUDIT: 'x' }, undefined, ['env.name env."1"', 'env.forbidden env.LD_AUDIT']],
    ['too much', { A: 'x'.repeat(70_000) }, undefined, ['env.size env']],
    ['too many', Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`A${i}`, ''])), undefined, ['env.size env']],
  ];
  for (const [what, env, rule, refusals] of table) {
    it(`${refusals.length === 0 ? 'may have' : 'may not have'} ${what}`, () => {
      expect(requestEnvironment(env, rule).map(({ code, path }) => `${code} ${path}`)).to.deep.equal(refusals);
    });
  }
});
