import { expect } from 'chai';
import { attack } from '../attacks/attack-report.ts';
import { AttackSite } from '../attacks/attack-site.ts';
import { ATTACKS } from '../attacks/attacks.ts';
import { CONTROLS, runControls } from '../attacks/controls.ts';

/** Every attack of the collection, through the whole gateway, on the real engine; and after each, a job of somebody else. */
describe('attacks from inside a job', function () {
  this.timeout(120_000);
  const site = new AttackSite();

  before(() => site.open());
  after(() => site.close());

  for (const each of ATTACKS) {
    for (const as of each.as) {
      it(`${each.name} (${as})`, async () => {
        await attack(site, each, as);
      });
    }
  }

  /** An attack that gets nowhere without the sandbox either proves nothing of it. */
  describe('succeed without the sandbox', () => {
    let controls: ReadonlyMap<string, Promise<string>> = new Map();

    before(() => {
      controls = runControls(site);
    });
    after(() => Promise.allSettled(controls.values()));

    it('each is tried, or it is said why not', () => {
      expect(Object.keys(CONTROLS).sort()).to.deep.equal(ATTACKS.map(({ name }) => name).sort());
    });

    for (const { name } of ATTACKS) it(name, async () => expect(await controls.get(name)).to.be.a('string'));
  });
});
