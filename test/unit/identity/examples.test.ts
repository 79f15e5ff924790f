import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { isMember } from '../../../src/caller.ts';
import { configSchema } from '../../../src/config.ts';
import { readYaml } from '../../../src/policy/policy-file.ts';
import { identitySchema } from '../../../src/identity/identity-config.ts';
import { groupsOf } from '../../../src/identity/claims.ts';
import { SHAPES } from '../../conformance/identity/oidc-issuer.ts';

const EXAMPLES = join(dirname(fileURLToPath(import.meta.url)), '../../../examples/identity');
const read = (file: string): unknown => readYaml(readFileSync(join(EXAMPLES, file), 'utf8'));

describe('the shipped examples of identity', () => {
  for (const file of readdirSync(EXAMPLES)) {
    it(`${file} is a configuration`, () => {
      const result = configSchema.safeParse(read(file));
      expect(result.error?.issues ?? []).to.deep.equal([]);
      expect(result.data?.identity?.issuers.length).to.be.greaterThan(0);
    });
  }

  it('believe of each federation\'s claims what a rule then needs', () => {
    const groups = (file: string, claims: Readonly<Record<string, unknown>>): readonly string[] => {
      const [issuer] = identitySchema.parse((read(file) as { identity: unknown }).identity).issuers;
      if (issuer === undefined) throw new Error('no issuer');
      return groupsOf(claims, issuer);
    };
    expect(isMember(groups('egi-check-in.yaml', SHAPES.egi), 'urn:mace:egi.eu:group:vespa#aai.egi.eu')).to.equal(true);
    expect(isMember(groups('egi-check-in.yaml', SHAPES.egi), 'urn:mace:egi.eu:group:vespa2#aai.egi.eu')).to.equal(false);
    expect(groups('eduteams.yaml', SHAPES.eduteams)).to.deep.equal(SHAPES.eduteams.eduperson_entitlement);
    expect(groups('escape-iam.yaml', SHAPES.iam)).to.deep.equal(['/escape', '/escape/cta']);
    expect(groups('escape-iam.yaml', { 'wlcg.groups': ['/escapee', '/cms'] })).to.deep.equal([]);
  });
});
