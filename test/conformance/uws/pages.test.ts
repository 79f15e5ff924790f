import { expect } from 'chai';
import { richJob } from '../../support/rich-jobs.ts';
import { LIST, uwsGateway } from './uws-gateway.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';

describe('pages for people', () => {
  const gateway = uwsGateway();

  it('a browser gets a page of a job: facts, links, foreign text only as text, nothing that runs', async () => {
    const path = await gateway.stored({ ...richJob('ERROR', gateway.clock.now()), runId: '<script>alert("x")</script>', results: [{ id: '"><img src=x>', mediaType: '<b>', size: 1 }] });
    const { status, headers, text } = await gateway.client.get(path, { accept: BROWSER });
    expect([status, headers['content-type']]).to.deep.equal([200, 'text/html; charset=utf-8']);
    expect(headers['content-security-policy']).to.include("default-src 'none'").and.include("form-action 'none'");
    expect(text).to.include('<td>Phase<td>ERROR').and.include(`href="${LIST}"`).and.include('exit code 1 &lt;&amp;&gt;').and.include('&lt;script&gt;');
    expect(text).to.not.match(/<script|<img|<form|\son\w+=/i);
    for (const url of [...text.matchAll(/href="([^"]*)"/g)].map(([, href]) => href ?? '')) expect(url).to.match(new RegExp(`^${LIST}`));
  });

  it('a browser gets a page of the list, of every length', async () => {
    for (const count of [0, 1, 150]) {
      await Promise.all(Array.from({ length: count }, () => gateway.stored({ runId: '<i>' })));
      const { headers, text } = await gateway.client.get('/uws/docker?PHASE=PENDING', { accept: BROWSER });
      expect(headers['content-type']).to.equal('text/html; charset=utf-8');
      expect(text).to.match(/^<!doctype html>.*<\/html>\n$/s).and.not.include('<i>');
    }
    expect((await gateway.client.get('/uws/docker?PHASE=PENDING', { accept: BROWSER })).text.match(/<tr><td>/g)).to.have.length(151);
  });

  it('a jobs page can be asked for by anybody, and XML by a browser', async () => {
    expect((await gateway.client.get('/uws/docker?RESPONSEFORMAT=html')).headers['content-type']).to.match(/^text\/html/);
    expect((await gateway.client.get('/uws/docker?responseformat=xml', { accept: BROWSER })).headers['content-type']).to.match(/^text\/xml/);
    expect((await gateway.client.get('/uws/docker?RESPONSEFORMAT=application/json')).headers['content-type']).to.match(/^application\/json/);
    const wrong = await gateway.client.get('/uws/docker?RESPONSEFORMAT=votable');
    expect([wrong.status, wrong.text.includes('RESPONSEFORMAT')]).to.deep.equal([400, true]);
  });
});
