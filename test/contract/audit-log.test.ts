import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../src/clock.ts';
import { createLogger } from '../../src/logger.ts';
import { MemoryAuditLog } from '../../src/policy/audit-log.ts';
import { JsonAuditLog } from '../../src/policy/json-audit-log.ts';
import { auditLogContract } from './audit-log.ts';

const directories: string[] = [];
after(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true }))));

auditLogContract('in memory', () => Promise.resolve(new MemoryAuditLog()));
auditLogContract('in a file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pratique-audit-'));
  directories.push(directory);
  return new JsonAuditLog(join(directory, 'log/audit.jsonl'), new SystemClock(), createLogger('silent'));
});
