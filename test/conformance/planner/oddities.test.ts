import { expect } from 'chai';
import { multipart, type Sent } from '../../support/http-client.ts';
import { offered, plannerGateway } from './planner-gateway.ts';

const IMAGE = 'registry.test/tools/derived:1';
const ZEPPELIN = { name: 'zeppelin', tasktypes: ['uri://zeppelin-notebook'], servicetype: 'uri://zeppelin-service', endpoint: 'http://zeppelin.example.org/', taskinfo: { languages: { oneOf: ['md', 'python', 'pyspark'] } } };
const WORD = { name: 'word', tasktypes: ['example-task'], servicetype: 'example-service', endpoint: 'http://example.org/' };
const DOCKER = 'tasktype=uri://docker-container';

/** What the note leaves open or gets wrong; the numbers are those of the table in docs/execution-planner.md. */
describe('Execution Planner note: oddities', () => {
  const gateway = plannerGateway({ config: { services: [ZEPPELIN, WORD] }, origins: ['https://esap.example.org'] });
  const yaml = (body: string, type?: string): Sent => ({ body, headers: type === undefined ? {} : { 'content-type': type } });

  it('1: spells reponseword and reponseinfo as the note does, and no other way', async () => {
    const { text } = await gateway.get('/accepts?tasktype=uri://other');
    expect(text).to.contain('"reponseword"').and.contain('"reponseinfo"').and.not.contain('responseword');
  });

  it('2: answers at /accepts and /accept, to GET and POST, with a slash at the end, and redirects nobody', async () => {
    for (const path of ['/accepts', '/accept', '/accepts/', '/accept/']) {
      expect((await gateway.get(`${path}?${DOCKER}`)).status, path).to.equal(200);
      expect((await gateway.post(yaml('tasktype: uri://docker-container'), path)).reponseword, path).to.equal('YES');
    }
  });

  it('3: takes the trailing commas of its JSON examples; a missing comma is told with its line and column', async () => {
    expect((await gateway.post(yaml('{\n  "tasktype": "uri://docker-container",\n  "taskinfo": {},\n}', 'application/json'))).reponseword).to.equal('YES');
    for (const body of ['{\n  "tasktype": "uri://docker-container"\n  "taskinfo": {}\n}', '{"tasktype":"uri://docker-container","resources":{\n"mincores":1 "maxcores":2}}']) {
      const answer = await gateway.client.send('POST', '/accepts', yaml(body, 'application/json'));
      expect(answer.status).to.equal(400);
      expect(answer.text).to.match(/line [23], column \d+/);
    }
  });

  for (const list of [
    'taskinfo.languages={md,python}', 'taskinfo.languages=%7Bmd,python%7D', 'taskinfo.languages=md,python', 'taskinfo.languages=md&taskinfo.languages=python', 'taskinfo.languages[]=md&taskinfo.languages[]=python',
    'taskinfo.languages%5B%5D=md&taskinfo.languages=python', 'taskinfo.languages.0=md&taskinfo.languages.1=python', 'taskinfo.languages={md}&taskinfo.languages={python}', 'taskinfo.languages=[md,python]'.replace('[', '{').replace(']', '}'),
  ]) {
    it(`4: reads the list ${list}`, async () => {
      expect((await gateway.ask(`tasktype=uri://zeppelin-notebook&${list}`)).reponseword).to.equal('YES');
      const answer = await gateway.ask(`tasktype=uri://zeppelin-notebook&${list.replaceAll('python', 'scala')}`);
      expect(answer.reponseword).to.equal('NO');
      expect(answer.reponseinfo?.reasons?.[0]?.text).to.contain('"scala"').and.not.contain('"md"');
    });
  }

  it('5: takes raw and escaped URIs', async () => {
    for (const type of ['uri://docker-container', 'uri%3A%2F%2Fdocker-container', 'uri:%2f/docker-container']) expect((await gateway.ask(`tasktype=${type}`)).reponseword).to.equal('YES');
  });

  for (const fold of ['\r\n', '\n', '%0A', '%0D%0A', ' ', '\r\n\t']) {
    it(`6: reads a part name folded by ${JSON.stringify(fold)}`, async () => {
      const answer = await gateway.post(multipart([{ name: 'tasktype', value: 'uri://docker-container' }, { name: `taskinfo.${fold}image`, value: IMAGE }]), '/accept');
      expect(offered(answer).IMAGE).to.contain(IMAGE);
    });
  }

  it('6: says what is probably wrong where only half of a folded name is left', async () => {
    const answer = await gateway.client.send('POST', '/accept', multipart([{ name: 'tasktype', value: 'uri://docker-container' }, { name: 'taskinfo.', value: IMAGE }]));
    expect(answer.status).to.equal(400);
    expect(answer.text).to.contain('two lines');
  });

  it('7, 8: reads multipart with LF only, a quoted boundary right after the semicolon, and no line end at its end', async () => {
    const body = `--b\nContent-Disposition: form-data; name="tasktype"\n\nuri://docker-container\n--b\nContent-Disposition: form-data; name="taskinfo.image"\n\n${IMAGE}\n--b--`;
    expect(offered(await gateway.post({ body, headers: { 'content-type': 'multipart/form-data;boundary="b"' } })).IMAGE).to.contain(IMAGE);
  });

  for (const type of ['application/json', 'text/json', 'application/vnd.task+json', 'application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml', 'text/vnd.yaml', 'application/vnd.task+yaml', 'Application/JSON; charset=UTF-8', undefined]) {
    it(`9: reads a document of type ${type ?? '(none)'}`, async () => {
      expect(offered(await gateway.post(yaml(JSON.stringify({ tasktype: 'uri://docker-container', taskinfo: { image: IMAGE } }), type))).IMAGE).to.contain(IMAGE);
    });
  }

  it('9: reads parts that are documents, and text parts as text', async () => {
    const tasktype = { name: 'tasktype', value: 'uri://docker-container', type: 'text/plain' };
    for (const [value, type] of [[`image: ${IMAGE}`, 'text/yaml'], [JSON.stringify({ image: IMAGE }), 'text/json']] as const) {
      expect(offered(await gateway.post(multipart([tasktype, { name: 'taskinfo', value, type, filename: '../../etc/passwd' }]))).IMAGE).to.contain(IMAGE);
    }
    expect(offered(await gateway.post(multipart([tasktype, { name: 'taskinfo.image', value: IMAGE }, { name: 'taskinfo.args', value: '[echo, "a: b"]', type: 'text/yaml' }])))['ARG']).to.deep.equal(['echo', 'a: b']);
  });

  it('10: uses a header called Accepts where Accept says nothing', async () => {
    expect((await gateway.get(`/accepts?${DOCKER}`, { accepts: 'application/yaml' })).headers['content-type']).to.match(/yaml/);
    expect((await gateway.get(`/accepts?${DOCKER}`, { accept: '*/*', accepts: 'application/yaml' })).headers['content-type']).to.match(/yaml/);
    expect((await gateway.get(`/accepts?${DOCKER}`, { accept: 'application/json', accepts: 'application/yaml' })).headers['content-type']).to.match(/json/);
  });

  it('11: takes a body without a type for YAML', async () => {
    expect(offered(await gateway.post(yaml(`# a question\ntasktype: uri://docker-container\ntaskinfo:\n  image: ${IMAGE}\n`))).IMAGE).to.contain(IMAGE);
    expect(offered(await gateway.post(yaml(`tasktype: uri://docker-container\ntaskinfo: {image: "${IMAGE}"}`, 'application/x-www-form-urlencoded'))).IMAGE, 'what curl -d makes of it').to.contain(IMAGE);
  });

  it('13: does not take a service type for a task type, and says what was meant', async () => {
    const answer = await gateway.ask('tasktype=uri://zeppelin-service');
    expect(answer.reponseword).to.equal('NO');
    expect(answer.reponseinfo?.reasons?.[0]?.text).to.contain('uri://zeppelin-notebook');
  });

  it('14: compares any string, and calls an unknown one a no', async () => {
    expect((await gateway.ask('tasktype=example-task')).servicetype).to.equal('example-service');
    for (const type of ['example-Task', 'x'.repeat(2048), '<script>', '%00', '../..', '__proto__', 'constructor']) expect((await gateway.ask(`tasktype=${type}`)).reponseword, type).to.equal('NO');
    expect((await gateway.get(`/accepts?tasktype=${'x'.repeat(2049)}`)).status).to.equal(400);
  });

  it('15: knows its own task type in the purl family too', async () => {
    expect((await gateway.ask('tasktype=http%3A%2F%2Fpurl.escape.eu%2Ftypes%2Fdocker-container')).servicetype).to.equal('http://purl.escape.eu/types/docker-uws');
  });

  it('16: compares the parsed domain', async () => {
    expect((await gateway.ask(`${DOCKER}&taskinfo.image=registry.test.evil.org/tools/derived:1`)).reponseword).to.equal('NO');
  });

  it('17: tells a single interface both ways', async () => {
    const answer = await gateway.ask(DOCKER);
    expect(answer.interfaces).to.deep.equal([{ servicetype: answer.servicetype, serviceinfo: answer.serviceinfo }]);
  });

  it('18: has warnings in reponseinfo', async () => {
    expect((await gateway.ask(`${DOCKER}&x=1`)).reponseinfo?.warnings?.[0]).to.have.keys('code', 'path', 'text');
  });

  for (const [size, memory] of [['2G', '2G'], ['2GB', '2G'], ['2Gi', '2G'], ['2GiB', '2G'], ['2048M', '2G'], ['2', '2G'], ['1536M', '1536M'], ['524288k', '512M']] as const) {
    it(`21: reads the size ${size}`, async () => {
      expect(offered(await gateway.ask(`${DOCKER}&taskinfo.image=${IMAGE}&resources.maxmemory=${size}`)).MEMORY).to.equal(memory);
    });
  }

  for (const [duration, seconds] of [['60', 60], ['60s', 60], ['5m', 300], ['1h30m', 5400], ['PT5M', 300], ['P1D', 86400]] as const) {
    it(`22: reads the duration ${duration}`, async () => {
      expect(offered(await gateway.ask(`${DOCKER}&taskinfo.image=${IMAGE}&resources.maxduration=${duration}`)).EXECUTIONDURATION).to.equal(String(seconds));
    });
  }

  it('23: reads numbers as numbers and as text', async () => {
    for (const cores of ['2', '"2"']) expect(offered(await gateway.post(yaml(`{"tasktype":"uri://docker-container","taskinfo":{"image":"${IMAGE}"},"resources":{"maxcores":${cores}}}`))).CORES).to.equal('2');
  });

  describe('24: dotted names', () => {
    for (const [what, query] of [
      ['contradict each other', 'taskinfo=%7Bimage:x%7D&taskinfo.image.name=y&taskinfo.image=z'],
      ['contradict each other the other way round', 'taskinfo.a.b=x&taskinfo.a=y'],
      ['are a value first', 'taskinfo.a=y&taskinfo.a.b=x'],
      ['are too deep', 'taskinfo.a.b.c.d.e.f.g.h=x'],
      ['have nothing between dots', 'taskinfo..a=x'],
      ['are too many', Array.from({ length: 201 }, (_, i) => `taskinfo.a${String(i)}=x`).join('&')],
    ] as const) {
      it(`that ${what} are malformed`, async () => {
        const answer = await gateway.get(`/accepts?${DOCKER}&${query}`);
        expect(answer.status).to.equal(400);
        expect(answer.text).not.to.contain('reponseword');
      });
    }

    it('mean nothing by themselves', async () => {
      for (const name of ['taskinfo.__proto__.image', 'taskinfo.constructor.prototype.image', '__proto__.image', 'resources.__proto__.mincores', 'taskinfo.hasOwnProperty']) {
        const answer = await gateway.ask(`${DOCKER}&${name}=${IMAGE}`);
        expect(answer.reponseword, name).to.equal('YES');
        expect(answer.serviceinfo, name).not.to.have.property('parameters');
        expect(answer.reponseinfo?.warnings, name).to.have.length(1);
      }
      expect(({} as Record<string, unknown>)['image']).to.equal(undefined);
    });
  });

  it('25: refuses a key that is given twice, and does not open YAML bombs', async () => {
    const twice = await gateway.client.send('POST', '/accepts', yaml('tasktype: uri://docker-container\ntaskinfo: {image: a}\ntaskinfo: {image: b}\n'));
    expect(twice.status).to.equal(400);
    const bomb = `tasktype: uri://docker-container\na: &a [x]\n${Array.from({ length: 40 }, (_, i) => `b${String(i)}: &b${String(i)} [${i === 0 ? '*a, *a' : `*b${String(i - 1)}, *b${String(i - 1)}`}]`).join('\n')}\n`;
    expect((await gateway.client.send('POST', '/accepts', yaml(bomb))).status).to.equal(400);
  });

  it('24: says of a member without members that it is the one, not the document', async () => {
    for (const [body, told] of [
      ['{"tasktype":"uri://docker-container","taskinfo":"an image"}', 'BadRequest: taskinfo must have members, such as {"image": "registry.example.org/tools/cutout:1"}\n'],
      ['tasktype: uri://docker-container\ntaskinfo: [a]\n', 'BadRequest: taskinfo must have members'],
      ['tasktype: uri://docker-container\nresources: 5\n', 'BadRequest: resources must have members, such as {"minmemory": "2G"}\n'],
      ['[a]', 'BadRequest: the document must be a mapping'],
    ] as const) {
      const answer = await gateway.client.send('POST', '/accepts', yaml(body));
      expect(answer.status, body).to.equal(400);
      expect(answer.text, body).to.match(new RegExp(`^${told.replace(/[{}[\]."]/g, '\\$&')}`));
    }
  });

  it('27: refuses a GET with a body, answers HEAD and OPTIONS, and lets the configured web pages ask', async () => {
    expect((await gateway.client.send('GET', '/accepts', yaml('tasktype: uri://docker-container'))).status).to.equal(400);
    expect(await gateway.client.send('HEAD', `/accepts?${DOCKER}`)).to.include({ status: 200, text: '' });
    const options = await gateway.client.send('OPTIONS', '/accepts');
    expect(options.status).to.equal(204);
    expect(options.headers.allow).to.equal('GET, HEAD, POST, OPTIONS');
    const preflight = await gateway.client.send('OPTIONS', '/accepts', { headers: { origin: 'https://esap.example.org', 'access-control-request-method': 'POST' } });
    expect(preflight.headers['access-control-allow-origin']).to.equal('https://esap.example.org');
    expect((await gateway.get(`/accepts?${DOCKER}`, { origin: 'https://esap.example.org' })).headers['access-control-allow-origin']).to.equal('https://esap.example.org');
    expect((await gateway.client.send('DELETE', '/accepts')).status).to.equal(405);
  });
});
