import { expect } from 'chai';
import { ESCAPES, FORMS, HARMLESS } from '../../support/compose-escapes.ts';
import { composeSite, judgeCompose } from '../../support/compose-site.ts';
import type { JudgedSite } from '../../support/site-policy.ts';

describe('hostile compose files', () => {
  let site: JudgedSite;
  before(async () => {
    site = await composeSite();
  });

  it('are many', () => {
    expect(ESCAPES.length * FORMS.length).to.be.greaterThan(2000);
    expect(new Set(ESCAPES.map(({ name }) => name)).size).to.equal(ESCAPES.length);
  });

  for (const form of FORMS) {
    it(`${form.name}: a harmless file is accepted in this form`, async () => {
      const { text, variables = {} } = form.write(HARMLESS);
      const verdict = await judgeCompose(site, text, { variables });
      expect(verdict.accepted ? [] : verdict.reasons.map((reason) => reason.text), text).to.deep.equal([]);
    });

    for (const escape of ESCAPES) {
      it(`${form.name}: ${escape.name}`, async () => {
        const { text, variables = {} } = form.write(escape);
        const verdict = await judgeCompose(site, text, { variables });
        expect(verdict.accepted, text).to.equal(false);
        // a file that nobody could read proves nothing
        expect(verdict.accepted ? [] : verdict.reasons.map(({ code }) => code), text).not.to.include.members(['compose.unreadable']);
        expect(verdict.accepted ? '' : verdict.reasons.map(({ text: why }) => why).join(), text).not.to.match(/is no key of the Compose/);
      });
    }
  }
});
