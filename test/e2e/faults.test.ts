import { expect } from 'chai';
import { campaign } from '../faults/campaign.ts';
import { formatReport } from '../faults/report.ts';

const SEED = 4;
const FAULTS = 8;

describe('a short campaign of faults, always the same', () => {
  it('does something, loses no job, runs none twice, ends none in a wrong phase, and leaves nothing', async function () {
    if (process.getuid?.() !== 0) {
      console.log('      skipped: the campaign starts and kills a Docker Engine of its own, which only root may');
      this.skip();
    }
    // the campaign has an end of its own, and removes what it made
    this.timeout(600_000);
    const report = await campaign({ seed: SEED, faults: FAULTS, minutes: 3, say: () => undefined });
    expect(Object.values(report.faults).reduce((sum, each) => sum + each, 0)).to.be.greaterThan(FAULTS / 2);
    expect(report.phases['COMPLETED'] ?? 0).to.be.greaterThan(0);
    expect(report.results).to.be.greaterThan(0);
    expect(report.jobs).to.include.keys('docker', 'compose');
    expect(report.problems, formatReport(report)).to.deep.equal([]);
  });
});
