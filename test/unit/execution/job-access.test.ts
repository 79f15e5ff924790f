import { expect } from 'chai';
import { ANONYMOUS, type Caller } from '../../../src/caller.ts';
import { GatewayError } from '../../../src/errors.ts';
import { own, seen, stoppable } from '../../../src/execution/job-access.ts';

const mine = { id: 'j1', owner: 'ada', sharedWith: ['urn:x:y:group:team#z'] };
const nobodys = { id: 'j2', owner: null };

/** caller, job, and who lets it through. */
const TABLE: readonly (readonly [string, Caller, typeof mine | typeof nobodys, { readonly seen: boolean; readonly own: boolean; readonly stoppable: boolean }])[] = [
  ['the owner', { id: 'ada', groups: [] }, mine, { seen: true, own: true, stoppable: true }],
  ['somebody else', { id: 'bob', groups: ['urn:x:y:group:team2#z'] }, mine, { seen: false, own: false, stoppable: false }],
  ['a member of a group it is shared with', { id: 'bob', groups: ['urn:x:y:group:team:role=member#z'] }, mine, { seen: true, own: false, stoppable: false }],
  ['an operator', { id: 'olga', groups: [], operator: true }, mine, { seen: true, own: false, stoppable: true }],
  ['nobody', ANONYMOUS, mine, { seen: false, own: false, stoppable: false }],
  ['nobody, of nobody\'s job', ANONYMOUS, nobodys, { seen: true, own: true, stoppable: true }],
  ['somebody, of nobody\'s job', { id: 'bob', groups: [] }, nobodys, { seen: false, own: false, stoppable: false }],
  ['who has a link to it', { id: null, groups: [], mayRead: 'j1' }, mine, { seen: true, own: false, stoppable: false }],
  ['who has a link to another', { id: null, groups: [], mayRead: 'j1' }, nobodys, { seen: false, own: false, stoppable: false }],
  ['who has a link to nobody\'s job', { id: null, groups: [], mayRead: 'j2' }, nobodys, { seen: true, own: false, stoppable: false }],
];

describe('who may do what with a job', () => {
  for (const [who, caller, job, expected] of TABLE) {
    it(`${who}: ${JSON.stringify(expected)}`, () => {
      const passes = (door: typeof seen): boolean => {
        try {
          return door(job, caller).id === job.id;
        } catch (error) {
          expect((error as GatewayError).code).to.equal('Forbidden');
          return false;
        }
      };
      expect({ seen: passes(seen), own: passes(own), stoppable: passes(stoppable) }).to.deep.equal(expected);
    });
  }

  it('what is not there is not found, whoever asks', () => {
    for (const door of [seen, own, stoppable]) {
      for (const caller of [ANONYMOUS, { id: 'olga', groups: [], operator: true } as const]) {
        expect(() => door(undefined, caller)).to.throw(GatewayError).with.property('code', 'NotFound');
      }
    }
  });
});
