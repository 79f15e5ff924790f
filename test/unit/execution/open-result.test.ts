import { expect } from 'chai';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { EngineRefused } from '../../../src/engine/engine.ts';
import { openResult } from '../../../src/execution/open-result.ts';
import type { ResultStore } from '../../../src/store/result-store.ts';
import { jobWith } from '../../support/jobs.ts';

const RUNNING = jobWith({ phase: 'EXECUTING', results: [{ id: 'stdout', mediaType: 'text/plain' }] });
const OVER = { ...RUNNING, phase: 'COMPLETED', results: [{ id: 'stdout', mediaType: 'text/plain', size: 5 }] } as const;

describe('a log that is read while its container is removed', () => {
  const results = { read: async () => Readable.from(['whole']) } as unknown as ResultStore;
  const refused = { logs: () => Promise.reject(new EngineRefused('can not get logs from container which is dead or marked for removal')) };

  it('is the result that was kept, once the job is over', async () => {
    const { content } = await openResult(RUNNING, 'stdout', { engine: refused, results, again: async () => OVER });
    expect(await text(content)).to.equal('whole');
  });

  for (const [what, now] of [['the job is not over yet', RUNNING], ['the job is gone', undefined]] as const) {
    it(`cannot be read at this moment, while ${what}`, async () => {
      const error: unknown = await openResult(RUNNING, 'stdout', { engine: refused, results, again: async () => now }).catch((each: unknown) => each);
      expect(error).to.include({ code: 'Unavailable' }).and.to.have.nested.property('headers.Retry-After', '1');
    });
  }

  it('what is no answer of the engine is told as it is', async () => {
    const error: unknown = await openResult(RUNNING, 'stdout', { engine: { logs: () => Promise.reject(new Error('a bug')) }, results, again: async () => OVER }).catch((each: unknown) => each);
    expect(String(error)).to.equal('Error: a bug');
  });
});
