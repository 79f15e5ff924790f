import { expect } from 'chai';
import { plannerGateway } from './planner-gateway.ts';

const IMAGE = 'tasktype=uri://docker-container&taskinfo.image=registry.test/tools/derived:1';
const ESAP = { name: 'esap', tasktypes: ['uri://esap-notebook'], servicetype: 'uri://binder-hub', endpoint: 'http://binder.example.eu/', data: [{ patterns: ['rucio://ESCAPE-RSE/*'] }, { patterns: ['rucio://PRIVATE-RSE/*'], groups: ['astronomers'] }] };
const PLAIN = { name: 'plain', tasktypes: ['uri://jupyter-notebook'], servicetype: 'uri://jupyter-hub', endpoint: 'http://jupyter.example.org/' };

describe('Execution Planner: data that a task needs (note §6)', () => {
  const gateway = plannerGateway({ config: { services: [ESAP, PLAIN], data: [{ patterns: ['https://data.example.org/*', 's3+https://s3.example.org/surveys/*', 'vos://vo.example.org!space/*'] }] } });

  const questions: readonly (readonly [string, string, readonly string[]])[] = [
    ['no data at all', `${IMAGE}&taskinfo.data=`, []],
    ['data that is reached', `${IMAGE}&taskinfo.data=https://data.example.org/a,b.fits`, []],
    ['several that are reached', `${IMAGE}&taskinfo.data=https://data.example.org/a&taskinfo.data=vos://vo.example.org!space/x`, []],
    ['S3 with its endpoint', `${IMAGE}&taskinfo.data.uri=s3://surveys/x&taskinfo.data.endpoint=https://s3.example.org/`, []],
    ['S3 at another endpoint', `${IMAGE}&taskinfo.data.uri=s3://surveys/x&taskinfo.data.endpoint=https://s3.evil.org`, ['data.unreachable taskinfo.data']],
    ['S3 at no endpoint', `${IMAGE}&taskinfo.data=s3://surveys/x`, ['data.unreachable taskinfo.data']],
    ['one of two that is not reached', `${IMAGE}&taskinfo.data=https://data.example.org/a&taskinfo.data=ivo://x/y`, ['data.unreachable taskinfo.data.1']],
    ['a host that only looks like it', `${IMAGE}&taskinfo.data=https://data.example.org.evil.org/a`, ['data.unreachable taskinfo.data']],
    ['Rucio beside its storage element', 'tasktype=uri://esap-notebook&taskinfo.data.rucio=scope:name&taskinfo.data.rse=ESCAPE-RSE', []],
    ['Rucio elsewhere', 'tasktype=uri://esap-notebook&taskinfo.data.rucio=scope:name&taskinfo.data.rse=OTHER', ['data.unreachable taskinfo.data']],
    ['Rucio for members', 'tasktype=uri://esap-notebook&taskinfo.data=rucio://PRIVATE-RSE/scope:name', ['data.not-authorised taskinfo.data']],
    ['a platform of which nobody says what it reaches', 'tasktype=uri://jupyter-notebook&taskinfo.data=https://data.example.org/a', ['data.unreachable taskinfo.data']],
  ];
  for (const [what, query, reasons] of questions) {
    it(`answers ${reasons.length === 0 ? 'YES' : 'NO'}: ${what}`, async () => {
      const answer = await gateway.ask(query);
      expect((answer.reponseinfo?.reasons ?? []).map(({ code, path }) => `${code} ${path}`)).to.deep.equal(reasons);
      expect(answer.reponseword).to.equal(reasons.length === 0 ? 'YES' : 'NO');
      expect(answer.reponseinfo?.warnings).to.equal(undefined);
    });
  }

  it('reaches for members what it does not reach for others', async () => {
    expect((await gateway.ask('tasktype=uri://esap-notebook&taskinfo.data=rucio://PRIVATE-RSE/scope:name', { authorization: 'Bearer astronomer' })).reponseword).to.equal('YES');
  });

  it('reads a list of different kinds from a document', async () => {
    const answer = await gateway.post({ json: { tasktype: 'uri://esap-notebook', taskinfo: { data: [{ rucio: 'a:b', rse: 'ESCAPE-RSE' }, { rucio: 'a:b' }, 'https://x.example.org/'] } } });
    expect(answer.reponseinfo?.reasons?.map(({ path }) => path)).to.deep.equal(['taskinfo.data.1', 'taskinfo.data.2']);
  });

  for (const data of ['hello', 'a:b', '//x/y', 'https:// x', '&taskinfo.data.rucio=nocolon'.slice(1), 'taskinfo.data.uri=s3://a/b&taskinfo.data.endpoint=nonsense', 'taskinfo.data.uri=s3://a/b&taskinfo.data.other=x']) {
    it(`calls ${data} malformed`, async () => {
      const query = data.startsWith('taskinfo.') ? data : `taskinfo.data=${encodeURIComponent(data)}`;
      expect((await gateway.get(`/accepts?${IMAGE}&${query}`)).status).to.equal(400);
    });
  }
});
