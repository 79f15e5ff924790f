import { expect } from 'chai';
import type { Closure } from '../../../src/execution/closure.ts';
import { plannerGateway } from './planner-gateway.ts';

describe('Execution Planner: a site that takes no jobs at present', () => {
  let closure: Closure | undefined;
  const gateway = plannerGateway({ parts: { closed: () => closure, moment: 60_000 } });
  const QUESTION = '/accepts?tasktype=uri://docker-container&taskinfo.image=registry.test/tools/derived:1';
  const ask = async (query = ''): Promise<{ word: unknown; code: unknown; retryAfter: string | null }> => {
    const { json, headers } = await answerOf(query);
    const document = json as { reponseword: string; reponseinfo?: { reasons?: { code: string; httpcode: number }[] } };
    return { word: document.reponseword, code: document.reponseinfo?.reasons?.[0]?.code, retryAfter: headers.get('retry-after') };
  };
  const answerOf = async (query: string): Promise<{ json: unknown; headers: Headers }> => {
    const response = await fetch(`${gateway.origin}${QUESTION}${query}`, { headers: { Accept: 'application/json' } });
    return { json: await response.json(), headers: response.headers };
  };

  it('says no, why, and when to ask again; what it said a moment before counts no more, nor its no afterwards', async () => {
    expect(await ask()).to.deep.equal({ word: 'YES', code: undefined, retryAfter: null });
    closure = { code: 'site.draining', text: 'the gateway is being drained', retryAfter: 60 };
    expect(await ask()).to.deep.equal({ word: 'NO', code: 'site.draining', retryAfter: '60' });
    expect(await ask('&words=yes,no,maybe')).to.include({ word: 'MAYBE' });
    closure = undefined;
    expect(await ask()).to.include({ word: 'YES' });
  });
});
