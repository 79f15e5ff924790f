import { expect } from 'chai';
import type { Caller } from '../../../src/caller.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { matchName } from '../../../src/policy/name-rules.ts';
import { parsePolicyText } from '../../../src/policy/policy-file.ts';
import { compilePolicy } from '../../../src/policy/rule.ts';

const RULES = compilePolicy(
  parsePolicyText(`
rules:
  - {name: no-latest, images: ["**:latest"], deny: use a version}
  - {name: staff, images: ["reg.example/**"], groups: [staff, admins]}
  - {name: stable, images: ["reg.example/tools/*:stable", "reg.example/tools/x:1.*"]}
  - {name: open, images: ["localhost:5000/demo/**"]}
`),
).rules;
const DIGEST = `sha256:${'a'.repeat(64)}`;
const nobody: Caller = { id: null, groups: [] };
const member: Caller = { id: 'm', groups: ['other', 'staff'] };

describe('name rules', () => {
  const table: readonly (readonly [image: string, caller: Caller, rule: string | undefined])[] = [
    ['localhost:5000/demo/a:1', nobody, 'open'],
    ['localhost:5000/demo/a/b:1', nobody, 'open'],
    [`localhost:5000/demo/a@${DIGEST}`, nobody, 'open'],
    ['localhost:5000/demo/a', nobody, 'no-latest'],
    ['localhost:5000/demo/a:latest', nobody, 'no-latest'],
    ['localhost:5000/demo', nobody, 'no-latest'],
    ['localhost:5000/demo:1', nobody, undefined],
    ['localhost:5000/demo-evil/a:1', nobody, undefined],
    ['localhost:5001/demo/a:1', nobody, undefined],
    ['localhost.evil.example/demo/a:1', nobody, undefined],
    ['demo/a:1', nobody, undefined],
    ['reg.example/tools/x:stable', nobody, 'stable'],
    ['reg.example/tools/x:1.2', nobody, 'stable'],
    ['reg.example/tools/y:1.2', nobody, undefined],
    [`reg.example/tools/x@${DIGEST}`, nobody, undefined],
    ['reg.example/anything:1', nobody, undefined],
    ['reg.example/anything:1', member, 'staff'],
    ['reg.example/tools/x:stable', member, 'staff'],
    ['reg.example/anything:latest', member, 'no-latest'],
    ['reg.example/anything:1', { id: 'x', groups: ['Staff', 'staff '] }, undefined],
  ];
  for (const [image, caller, rule] of table) {
    it(`${image} of ${caller.groups.join('+') || 'nobody'} is decided by ${rule ?? 'none'}`, () => {
      expect(matchName(RULES, parseReference(image), caller).rule?.name).to.equal(rule);
    });
  }

  it('take a tag beside a digest for a claim', () => {
    const claimed = matchName(RULES, parseReference(`reg.example/tools/x:stable@${DIGEST}`), nobody);
    expect([claimed.rule?.name, claimed.tagClaimed]).to.deep.equal(['stable', true]);
    const proven = matchName(RULES, parseReference(`localhost:5000/demo/x:stable@${DIGEST}`), nobody);
    expect([proven.rule?.name, proven.tagClaimed]).to.deep.equal(['open', false]);
  });

  it('refuse by a tag that is only claimed, too', () => {
    expect(matchName(RULES, parseReference(`localhost:5000/demo/x:latest@${DIGEST}`), nobody).rule?.name).to.equal('no-latest');
  });

  it('tell how each rule met the question', () => {
    expect(matchName(RULES, parseReference('reg.example/tools/x:stable'), nobody).outcomes).to.deep.equal([
      { rule: 'no-latest', outcome: 'other images' },
      { rule: 'staff', outcome: 'other callers' },
      { rule: 'stable', outcome: 'decides' },
    ]);
  });
});
