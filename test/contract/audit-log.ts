import { expect } from 'chai';
import { digestOf } from '../../src/image/digest.ts';
import type { AuditEntry, AuditFilter, AuditLog } from '../../src/policy/audit-log.ts';

/** An entry whose every member can be told apart. */
export function auditEntry(id: string, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id,
    at: Date.UTC(2026, 0, 1, 0, 0, 0, 1),
    door: 'create',
    caller: { id: 'ann', groups: ['staff'] },
    policy: digestOf('policy'),
    rule: 'r',
    reference: 'reg.example:5000/demo/x:1',
    digests: { index: digestOf('index'), manifest: digestOf('manifest'), config: digestOf('config') },
    base: { name: 'base', digest: digestOf('base') },
    answer: 'no',
    reasons: [{ code: 'image.base', path: 'image', text: 'line\nbreak \u2028 "quoted"', rule: 'r' }],
    ...more,
  };
}

/** What every audit log keeps to. */
export function auditLogContract(name: string, open: () => Promise<AuditLog>): void {
  describe(`the audit log ${name}`, () => {
    let log: AuditLog;
    beforeEach(async () => (log = await open()));

    async function ids(filter: AuditFilter): Promise<string[]> {
      const found: string[] = [];
      for await (const { id } of log.query(filter)) found.push(id);
      return found;
    }

    it('gives back what it took, in order', async () => {
      const bare = auditEntry('2', { answer: 'yes', reasons: [] });
      const { id, at, door, caller, policy, rule, reference, answer, reasons } = bare;
      const entries: AuditEntry[] = [
        auditEntry('1'),
        { id, at, door, caller, policy, rule, reference, answer, reasons },
        auditEntry('3', { caller: { id: null, groups: [] } }),
      ];
      for (const entry of entries) log.record(entry);
      const found: AuditEntry[] = [];
      for await (const entry of log.query({})) found.push(entry);
      expect(found).to.deep.equal(entries);
    });

    it('is empty at first', async () => expect(await ids({})).to.deep.equal([]));

    describe('finds entries by', () => {
      beforeEach(() => {
        log.record(auditEntry('1', { at: 1000 }));
        log.record(auditEntry('2', { at: 2000, reference: `reg.example:5000/demo/x:2@${digestOf('manifest2')}`, digests: { manifest: digestOf('manifest2'), config: digestOf('config2') } }));
        log.record(auditEntry('3', { at: 3000, reference: 'reg.example:5000/demo/xy:1', digests: { manifest: digestOf('m3'), config: digestOf('c3') }, base: { name: 'b', digest: digestOf('b3') } }));
      });
      const table: readonly (readonly [what: string, filter: AuditFilter, found: readonly string[]])[] = [
        ['id', { id: '2' }, ['2']],
        ['reference', { image: 'reg.example:5000/demo/x:1' }, ['1']],
        ['repository', { image: 'reg.example:5000/demo/x' }, ['1', '2']],
        ['index', { image: digestOf('index') }, ['1']],
        ['manifest', { image: digestOf('manifest2') }, ['2']],
        ['configuration', { image: digestOf('c3') }, ['3']],
        ['base', { image: digestOf('b3') }, ['3']],
        ['time', { since: 2000 }, ['2', '3']],
        ['time and image', { since: 2000, image: 'reg.example:5000/demo/x' }, ['2']],
        ['what is not there', { image: 'reg.example' }, []],
      ];
      for (const [what, filter, found] of table) it(what, async () => expect(await ids(filter)).to.deep.equal(found));
    });
  });
}
