import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { CONTROLS, parseJobRequest } from '../../../src/uws/job-request.ts';
import type { Field } from '../../../src/http/request-body.ts';

const fields = (pairs: Readonly<Record<string, string>>): readonly Field[] => Object.entries(pairs).map(([name, value]) => ({ name, value }));

describe('what a request asks of a job', () => {
  const parse = (body: Readonly<Record<string, string>>, query: Readonly<Record<string, string>> = {}, uploads: Readonly<Record<string, string>> = {}) =>
    parseJobRequest({ query: fields(query), body: fields(body), uploads: new Map(Object.entries(uploads)) }, CONTROLS, 'docker');
  const refusal = (...given: Parameters<typeof parse>): string => {
    try {
      parse(...given);
    } catch (error) {
      if (error instanceof GatewayError) return `${error.code} ${String(error.path)}`;
      throw error;
    }
    return 'accepted';
  };

  it('tells controls from parameters, in any letter case', () => {
    expect(parse({ pHaSe: 'RUN', RunId: 'x', image: 'a', destruction: '2030-01-01', ExecutionDuration: '007' })).to.deep.equal({
      phase: 'RUN', runId: 'x', destruction: Date.UTC(2030, 0, 1), executionDuration: 7, parameters: [{ name: 'IMAGE', value: 'a' }],
    });
    expect(parse({})).to.deep.equal({ parameters: [] });
  });

  it('joins query and body; the same twice is once, different is refused', () => {
    expect(parse({ RUNID: 'a' }, { runid: 'a', PHASE: 'RUN' })).to.deep.equal({ runId: 'a', phase: 'RUN', parameters: [] });
    expect(refusal({ RUNID: 'a' }, { RUNID: 'b' })).to.equal('BadParameter RUNID');
    expect(refusal({ RUNID: 'a', runid: 'a' })).to.equal('BadParameter RUNID');
  });

  it('a control that is not taken here is a parameter like others, and unknown', () => {
    expect(() => parseJobRequest({ query: [], body: fields({ PHASE: 'RUN' }), uploads: new Map() }, ['RUNID'], 'docker')).to.throw(GatewayError, 'unknown parameter "PHASE"');
  });

  it('takes secrets for compose files as for containers: in any letter case, as uploads, never in a URL, and repeats no value', () => {
    const of = (given: Partial<Parameters<typeof parseJobRequest>[0]>): unknown => parseJobRequest({ query: [], body: [], uploads: new Map(), ...given }, CONTROLS, 'compose').parameters;
    expect(of({ body: fields({ 'secret.Token': 'param:hush\u0001' }) })).to.deep.equal([{ name: 'SECRET.Token', value: 'param:hush\u0001' }]);
    expect(of({ uploads: new Map([['SECRET.token', 'hush']]) })).to.deep.equal([{ name: 'SECRET.token', value: 'hush', byReference: true }]);
    expect(() => of({ query: fields({ 'SECRET.token': 'hush' }) })).to.throw(GatewayError, /^SECRET\.<NAME> does not belong into a URL: give it in the body$/);
    for (const name of ['SECRET.', 'SECRET.a/b', 'SECRET.1', `SECRET.${'x'.repeat(65)}`]) expect(() => of({ body: fields({ [name]: 'hush' }) }), name).to.throw(GatewayError, /what follows SECRET\. must be a name/);
  });

  it('takes lifetimes as durations', () => {
    for (const [text, seconds] of [['60', 60], ['PT1M', 60], ['1h30m', 5400], ['P1D', 86_400]] as const) expect(parse({ LIFETIME: text }).executionDuration).to.equal(seconds);
    for (const text of ['', 'long', '-5', 'P1M']) expect(refusal({ LIFETIME: text }), text).to.equal('BadParameter LIFETIME');
  });

  it('takes uploads by their own name and by reference, each once', () => {
    expect(parse({ ARG: 'param:up' }, {}, { up: 'text' }).parameters).to.deep.equal([{ name: 'ARG', value: 'text', byReference: true }]);
    expect(parse({}, {}, { 'env.F': 'text' }).parameters).to.deep.equal([{ name: 'ENV.F', value: 'text', byReference: true }]);
    expect(refusal({}, {}, { up: 'text' })).to.equal('BadParameter up');
    expect(refusal({ ARG: 'param:' }, {}, {})).to.equal('BadParameter ARG');
  });

  it('refuses values that no container could be given, or no document could show', () => {
    for (const value of ['a\0b', 'x'.repeat(128 * 1024), 'a\u0001', '\ud800']) expect(refusal({ 'ENV.X': value })).to.equal('BadParameter ENV.X');
    expect(refusal({}, {}, { 'ENV.X': 'a\u0001' })).to.equal('accepted');
    expect(refusal({ RUNID: 'x'.repeat(65) })).to.equal('BadParameter RUNID');
    expect(refusal({ RUNID: '\u{1F600}'.repeat(64) })).to.equal('accepted');
  });
});
