import { attack } from '../attacks/attack-report.ts';
import { AttackSite } from '../attacks/attack-site.ts';
import { ATTACKS } from '../attacks/attacks.ts';

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
});
