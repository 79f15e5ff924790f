import { expect } from 'chai';
import { isMember } from '../../../src/caller.ts';

const VESPA = 'urn:mace:egi.eu:group:vespa:role=member#aai.egi.eu';

/** held, wanted, whether the one proves the other, why. */
const CASES: readonly (readonly [string, string, boolean, string])[] = [
  ['astronomers', 'astronomers', true, 'a plain name is itself'],
  ['astronomers', 'astronomer', false, 'and nothing shorter'],
  ['/escape/cta', '/escape', false, 'WLCG: a child group does not imply its parent'],
  [VESPA, VESPA, true, 'an entitlement is itself'],
  [VESPA, 'urn:mace:egi.eu:group:vespa#aai.egi.eu', true, 'any role proves membership'],
  [VESPA, 'urn:mace:egi.eu:group:vespa:role=vm_operator#aai.egi.eu', false, 'but not another role'],
  ['urn:mace:egi.eu:group:vespa#aai.egi.eu', VESPA, false, 'nor does membership prove a role'],
  ['urn:mace:egi.eu:group:vespa2:role=member#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'names are compared whole'],
  ['urn:mace:egi.eu:group:vesp:role=member#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'in both directions'],
  ['urn:mace:egi.eu:group:vespa:team#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'a subgroup proves nothing about its group'],
  ['urn:mace:egi.eu:group:vespa#aai.egi.eu', 'urn:mace:egi.eu:group:vespa:team#aai.egi.eu', false, 'nor a group about its subgroup'],
  ['urn:mace:egi.eu:group:a:vespa#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'nor one of the same name elsewhere'],
  ['urn:mace:egi.eu:group:vespa:role=member#evil.example', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'the authority counts'],
  ['urn:mace:egi.eu:group:vespa:role=member', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'and none is not any'],
  [VESPA, 'urn:mace:egi.eu:group:vespa', false, 'on either side'],
  ['urn:mace:egi.eu.evil:group:vespa#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'the namespace is compared whole'],
  ['urn:mace:egi.eu:x:group:vespa#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'with all its parts'],
  ['URN:MACE:egi.eu:group:vespa#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', true, 'RFC 8141: urn and NID have no letter case'],
  ['urn:mace:egi.eu:group:VESPA#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'everything else has'],
  ['urn:geant:x.org:group:Ryhm%c3%a4#x.org', 'urn:geant:x.org:group:Ryhm%C3%A4#x.org', true, 'RFC 8141: escapes have none'],
  ['urn:geant:eduteams.org:service:eduteams:group:cessda:developers#eduteams.org', 'urn:geant:eduteams.org:service:eduteams:group:cessda:developers#eduteams.org', true, 'eduTEAMS'],
  ['urn:mace:egi.eu:group:vespa:role=#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'an empty role is no role'],
  ['urn:mace:egi.eu:group:role=member#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'a role of no group is no group'],
  ['urn:mace:egi.eu:group:vespa:role=a:role=member#aai.egi.eu', 'urn:mace:egi.eu:group:vespa:role=a#aai.egi.eu', false, 'two roles are no role'],
  ['urn:mace:egi.eu:group:vespa#aai.egi.eu#x', 'urn:mace:egi.eu:group:vespa#aai.egi.eu', false, 'what follows the authority belongs to it'],
  ['', '', true, 'nothing is nothing'],
  ['', 'astronomers', false, 'and no group'],
];

describe('isMember', () => {
  for (const [held, wanted, expected, why] of CASES) {
    it(`${held} is ${expected ? '' : 'not '}${wanted}: ${why}`, () => {
      expect(isMember([held], wanted)).to.equal(expected);
    });
  }

  it('one group of several is enough, none is not', () => {
    expect(isMember(['a', VESPA], VESPA)).to.equal(true);
    expect(isMember([], VESPA)).to.equal(false);
  });

  it('takes no time for what is long', () => {
    expect(isMember([`urn:x:${':group:'.repeat(10_000)}`], 'urn:x:y:group:z')).to.equal(false);
    expect(isMember([`urn:x:y:group:${'a:'.repeat(1_000_000)}`], 'urn:x:y:group:z')).to.equal(false);
  });
});
