import { expect } from 'chai';
import { csvOf, tableOf } from '../../../src/cli/usage-print.ts';
import { type Grouping, type UsageRow, usageTable } from '../../../src/cli/usage-table.ts';
import type { UsageRecord } from '../../../src/store/usage-store.ts';

const DIGEST = `sha256:${'1'.repeat(64)}`;
const NOW = 1_000_000;
const ALWAYS = { since: 0, until: NOW };

/** A job of ten seconds on two cores that used five seconds. */
const job = (fields: Partial<UsageRecord> = {}): UsageRecord => ({
  jobId: 'one', list: 'docker', owner: 'ada', groups: ['vo', 'astro'], images: [`registry.test/tools/one@${DIGEST}`], phase: 'COMPLETED', cores: 2, memory: 2 ** 28,
  startTime: 100_000, endTime: 110_000, resultBytes: 1000, used: { cpuSeconds: 5, peakMemory: 2 ** 20, readBytes: 10, writtenBytes: 20, receivedBytes: 1, sentBytes: 2, measuredAt: 110_000 }, ...fields,
});
const table = (records: readonly UsageRecord[], by: Grouping = 'owner', period = ALWAYS): ReturnType<typeof usageTable> => usageTable(records, by, period, NOW);
const cpu = (rows: readonly UsageRow[]): unknown => Object.fromEntries(rows.map(({ name, cpuSeconds }) => [name, cpuSeconds]));

describe('pratique usage', () => {
  it('adds up what an owner\'s jobs have used, the peak being the highest', () => {
    const { rows, total } = table([job(), job({ jobId: 'two', used: { cpuSeconds: 1, peakMemory: 5, measuredAt: 1 } })]);
    expect(rows).to.deep.equal([{ name: 'ada', jobs: 2, unmeasured: 0, cpuSeconds: 6, coreSeconds: 40, wallSeconds: 20, peakMemory: 2 ** 20, resultBytes: 2000, diskReadBytes: 10, diskWrittenBytes: 20, networkBytes: 3 }]);
    expect({ ...total, name: 'ada' }).to.deep.equal(rows[0]);
  });

  it('has the most CPU time first, whoever has no name last', () => {
    const { rows } = table([job({ owner: null, used: { cpuSeconds: 1, peakMemory: 5, measuredAt: 1 } }), job({ owner: 'eve', used: { cpuSeconds: 9, peakMemory: 5, measuredAt: 1 } }), job()]);
    expect(rows.map(({ name }) => name)).to.deep.equal(['eve', 'ada', '(anonymous)']);
  });

  it('counts a job for each group of its owner, and once in the total', () => {
    const { rows, total } = table([job(), job({ groups: [] })], 'group');
    expect(cpu(rows)).to.deep.equal({ '(no group)': 5, astro: 5, vo: 5 });
    expect(total.cpuSeconds).to.equal(10);
  });

  it('puts images together by their names, whatever the digest, and jobs not at all', () => {
    expect(cpu(table([job(), job({ images: [`registry.test/tools/one@sha256:${'2'.repeat(64)}`] })], 'image').rows)).to.deep.equal({ 'registry.test/tools/one': 10 });
    expect(cpu(table([job(), job({ jobId: 'two' })], 'job').rows)).to.deep.equal({ one: 5, two: 5 });
  });

  it('counts the part of a job that lies within the period; results where it ended', () => {
    const half = table([job()], 'owner', { since: 0, until: 105_000 }).total;
    expect([half.cpuSeconds, half.wallSeconds, half.coreSeconds, half.resultBytes, half.jobs]).to.deep.equal([2.5, 5, 10, 0, 1]);
    const rest = table([job()], 'owner', { since: 105_000, until: NOW }).total;
    expect([rest.cpuSeconds, rest.resultBytes]).to.deep.equal([2.5, 1000]);
    expect(table([job()], 'owner', { since: 110_001, until: NOW }).rows).to.deep.equal([]);
    expect(table([job()], 'owner', { since: 0, until: 100_000 }).rows).to.deep.equal([]);
  });

  it('counts a job that runs until now, and says which were never measured', () => {
    const { used, ...unmeasured } = job({ endTime: null });
    expect(used?.cpuSeconds).to.equal(5);
    const { total } = table([unmeasured]);
    expect([total.unmeasured, total.cpuSeconds, total.wallSeconds, total.resultBytes]).to.deep.equal([1, 0, 900, 0]);
  });

  it('is a table for people: what is in a name cannot break it', () => {
    const { rows, total } = table([job({ owner: 'a\nb\u001b[31m', used: { cpuSeconds: 7200, peakMemory: 1536 * 2 ** 20, measuredAt: 1 } })]);
    const lines = tableOf(rows, total, 'owner').split('\n');
    expect(lines).to.have.length(4);
    expect(lines[1]).to.match(/^a\?b\?\[31m +1 +0 +2\.0 h +20\.0 s +1\.5 GiB +1000 B +0 B +0 B +0 B$/);
  });

  it('is CSV for programs: quotes, line ends and formulas are only text', () => {
    const { rows } = table([job({ owner: '=cmd("x"),\n' })]);
    expect(csvOf(rows, 'owner')).to.equal('owner,jobs,unmeasured,cpuSeconds,coreSeconds,wallSeconds,peakMemory,resultBytes,diskReadBytes,diskWrittenBytes,networkBytes\r\n"\'=cmd(""x""),\n",1,0,5,20,10,1048576,1000,10,20,3');
  });
});
