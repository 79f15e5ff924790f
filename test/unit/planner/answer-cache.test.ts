import { expect } from 'chai';
import { ANONYMOUS } from '../../../src/caller.ts';
import type { HttpContext } from '../../../src/http/handler.ts';
import { AnswerCache } from '../../../src/planner/answer-cache.ts';
import { VIA_HEADER } from '../../../src/planner/forwarding.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const asked = (more: { readonly method?: string; readonly url?: string; readonly headers?: Record<string, string> } = {}): HttpContext =>
  ({ method: 'GET', url: '/accepts?tasktype=x', req: { headers: more.headers ?? {} }, ...more }) as unknown as HttpContext;

describe('answers of the last moment', () => {
  const clock = new FakeClock();
  const answer = { mediaType: 'application/json', text: '{}' };
  const cache = new AnswerCache(clock, 1000);
  cache.put(asked(), ANONYMOUS, answer);

  it('are given again to the same question of the same caller', () => {
    expect(cache.get(asked(), ANONYMOUS)).to.include(answer);
  });

  const others: readonly (readonly [string, HttpContext, typeof ANONYMOUS])[] = [
    ['another question', asked({ url: '/accepts?tasktype=y' }), ANONYMOUS],
    ['another format', asked({ headers: { accept: 'application/xml' } }), ANONYMOUS],
    ['another way through planners', asked({ headers: { [VIA_HEADER]: '0123456789abcdef' } }), ANONYMOUS],
    ['another method', asked({ method: 'POST' }), ANONYMOUS],
    ['another caller', asked(), { id: 'alice', groups: [] }],
    ['a caller of other groups', asked(), { id: null, groups: ['vespa'] }],
  ];
  for (const [what, ctx, caller] of others) {
    it(`are not given to ${what}`, () => {
      expect(cache.get(ctx, caller)).to.equal(undefined);
    });
  }

  it('are over when the moment is, and are never kept where there is none', () => {
    clock.advance(1000);
    expect(cache.get(asked(), ANONYMOUS)).to.equal(undefined);
    const none = new AnswerCache(clock, 0);
    none.put(asked(), ANONYMOUS, answer);
    expect(none.get(asked(), ANONYMOUS)).to.equal(undefined);
  });
});
