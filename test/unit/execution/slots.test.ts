import { expect } from 'chai';
import { Slots } from '../../../src/execution/slots.ts';
import type { Job } from '../../../src/job/job.ts';
import { jobWith } from '../../support/jobs.ts';

describe('whose turn it is', () => {
  const OFFER = { slots: 1, cores: 4, memory: 2 ** 32 };

  /** Who is served, one after the other, while these owners always have one more job waiting; at most `atOnce` run. */
  function served(owners: readonly (string | null)[], turns: number, atOnce = 1): (string | null)[] {
    const slots = new Slots();
    slots.offer({ ...OFFER, slots: atOnce });
    const running: Job[] = [];
    return Array.from({ length: turns }, () => {
      if (running.length === atOnce) slots.release(running.shift()?.id ?? '');
      const next = slots.next(owners.map((owner) => jobWith({ owner, phase: 'QUEUED' })));
      if (next === undefined) throw new Error('nobody has a turn');
      slots.take(next);
      running.push(next);
      return next.owner;
    });
  }

  it('goes round where owners are equal: nobody starves behind who always has one more', () => {
    expect(served(['alice', 'bob', null], 6)).to.deep.equal(['alice', 'bob', null, 'alice', 'bob', null]);
    expect(served(['alice', 'bob', 'carol'], 6, 2)).to.deep.equal(['alice', 'bob', 'carol', 'alice', 'bob', 'carol']);
  });

  it('is of who has fewest running, whenever he was served', () => {
    const slots = new Slots();
    slots.offer({ ...OFFER, slots: 4 });
    const [first, second, bob] = [jobWith({ owner: 'alice' }), jobWith({ owner: 'alice' }), jobWith({ owner: 'bob' })];
    for (const job of [first, second, bob]) slots.take(job);
    expect(slots.next(['alice', 'bob'].map((owner) => jobWith({ owner })))?.owner).to.equal('bob');
  });
});
