import { expect } from 'chai';
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/logger.ts';
import { JsonAuditLog, readEntries } from '../../../src/policy/json-audit-log.ts';
import { auditEntry } from '../../contract/audit-log.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the audit file', () => {
  let directory: string;
  let path: string;
  let clock: FakeClock;
  let log: JsonAuditLog;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pratique-audit-'));
    path = join(directory, 'audit.jsonl');
    clock = new FakeClock();
    log = new JsonAuditLog(path, clock, createLogger('silent'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const lines = async (): Promise<string[]> => (await readFile(path, 'utf8')).split('\n').slice(0, -1);

  it('has one line of JSON for each entry, whatever is in it', async () => {
    for (const id of ['1', '2']) log.record(auditEntry(id));
    await log.flush();
    expect((await lines()).map((line) => (JSON.parse(line) as { id: string; at: string }).id)).to.deep.equal(['1', '2']);
    expect(await lines()).to.satisfy((all: string[]) => all.every((line) => line.includes('"at":"2026-01-01T00:00:00.001Z"')));
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });

  it('is written to without being asked', async () => {
    log.record(auditEntry('1'));
    await clock.whenSleepingUntil(clock.now() + 50);
    clock.advance(50);
    await log.flush();
    expect(await lines()).to.have.length(1);
  });

  it('takes many more than one write holds', async () => {
    for (let i = 0; i < 1234; i += 1) log.record(auditEntry(String(i)));
    await log.flush();
    expect((await lines()).map((line) => (JSON.parse(line) as { id: string }).id)).to.deep.equal(Array.from({ length: 1234 }, (_, i) => String(i)));
  });

  it('can be rotated by renaming', async () => {
    log.record(auditEntry('1'));
    await log.flush();
    await rename(path, `${path}.1`);
    log.record(auditEntry('2'));
    await log.flush();
    expect(await lines()).to.have.length(1);
  });

  it('goes on after a line that a crash has cut short', async () => {
    log.record(auditEntry('1'));
    await log.flush();
    await appendFile(path, '{"id":"cut');
    log.record(auditEntry('2'));
    const found: string[] = [];
    for await (const { id } of log.query({})) found.push(id);
    expect(found).to.deep.equal(['1', '2']);
    expect(await lines()).to.have.length(3);
  });

  it('passes over lines that are no entries', async () => {
    await appendFile(path, `null\n[]\n{"id":"x"}\n${'x'.repeat(100_000)}\n`);
    const found = [];
    for await (const entry of readEntries(path)) found.push(entry);
    expect(found).to.deep.equal([]);
  });

  it('keeps entries while the disk says no, says so, and refuses when too many wait', async () => {
    await mkdir(path);
    log.record(auditEntry('0'));
    const failed = await log.flush().then(() => undefined, (error: unknown) => error);
    expect(failed).to.be.instanceOf(GatewayError);
    for (let i = 1; i < 10_000; i += 1) log.record(auditEntry(String(i)));
    expect(() => log.record(auditEntry('one too many'))).to.throw(GatewayError);
    await log.flush().catch(() => undefined);
    await rm(path, { recursive: true });
    await log.flush();
    expect(await lines()).to.have.length(10_000);
    log.record(auditEntry('next'));
    await log.flush();
    expect(await lines()).to.have.length(10_001);
  });
});
