import { expect } from 'chai';
import { JOB_LIST, offered, plannerGateway } from './planner-gateway.ts';

const DOCKER = 'tasktype=uri://docker-container';

describe('Execution Planner: containers (note §4.1)', () => {
  const gateway = plannerGateway();

  describe('"can I run a container here?"', () => {
    it('says where, and asks no registry', async () => {
      gateway.takeAsked();
      const answer = await gateway.ask(DOCKER);
      expect(answer).to.include({ reponseword: 'YES', servicetype: 'uri://docker-uws' });
      expect(answer.serviceinfo).to.include({ endpoint: JOB_LIST, method: 'POST' });
      expect(gateway.takeAsked()).to.deep.equal([]);
    });

    it('answers in the family of identifiers in which it is asked', async () => {
      const answer = await gateway.ask('tasktype=http://purl.escape.eu/types/docker-container');
      expect(answer.servicetype).to.equal('http://purl.escape.eu/types/docker-uws');
    });
  });

  describe('"can I run this container here?"', () => {
    it('says yes to a derived image, with base, rule, digest and all that a program needs to run it', async () => {
      const answer = await gateway.ask(`${DOCKER}&taskinfo.image=registry.test/tools/derived:1`);
      expect(answer.reponseword).to.equal('YES');
      const { decision } = answer.reponseinfo ?? {};
      expect(decision).to.include({ rule: 'derived' });
      expect(decision?.base).to.include({ name: 'blessed' });
      expect(decision?.digest).to.match(/^sha256:[0-9a-f]{64}$/);
      expect(offered(answer)).to.deep.equal({
        IMAGE: `registry.test/tools/derived:1@${decision?.digest ?? ''}`, CORES: '1', MEMORY: '512M', EXECUTIONDURATION: '3600', PHASE: 'RUN', DECISION: decision?.id,
      });
      expect(answer.resources).to.deep.equal({ mincores: 1, maxcores: 1, minmemory: '512M', maxmemory: '512M', minduration: 'PT1H', maxduration: 'PT1H' });
    });

    it('takes over command and environment', async () => {
      const answer = await gateway.post({ body: 'tasktype: uri://docker-container\ntaskinfo:\n  image: registry.test/tools/derived:1\n  command: [cutout, --ra, 10.680]\n  env: {BAND: r, N: 1.10}\n' });
      expect(offered(answer).ARG).to.deep.equal(['cutout', '--ra', '10.680']);
      expect(offered(answer)).to.include({ 'ENV.BAND': 'r', 'ENV.N': '1.10' });
    });

    const command = [
      ['one text, split by quotes', 'taskinfo.command=echo+%22a+b%22+c', ['echo', 'a b', 'c']],
      ['words', 'taskinfo.arg=echo&taskinfo.arg=a,b', ['echo', 'a,b']],
      ['numbered words', 'taskinfo.args.1=b&taskinfo.args.0=echo', ['echo', 'b']],
    ] as const;
    for (const [how, query, words] of command) {
      it(`reads a command given as ${how}`, async () => {
        const answer = await gateway.ask(`${DOCKER}&taskinfo.image=registry.test/tools/derived:1&${query}`);
        expect(offered(answer).ARG).to.deep.equal(words);
      });
    }

    it('normalises docker.io/example:1.0 as Docker does', async () => {
      for (const name of ['docker.io/example:1.0', 'example:1.0', 'docker.io/library/example:1.0']) {
        expect(offered(await gateway.ask(`${DOCKER}&taskinfo.image=${name}`)).IMAGE, name).to.match(/^docker\.io\/library\/example:1\.0@sha256:/);
      }
    });

    const refused = [
      ['a look-alike', 'registry.test/tools/lookalike:1', 422, 'image.base', 'taskinfo.image'],
      ['a name that no rule has', 'good.example.evil.org/x', 422, 'image.not-listed', 'taskinfo.image'],
      ['an image that is not there', 'registry.test/tools/absent:1', 404, 'image.not-found', 'taskinfo.image'],
      ['what is no image name', 'GOOD/x', 422, 'image.reference', 'taskinfo.image'],
      ['an empty name', '', 422, 'image.reference', 'taskinfo.image'],
    ] as const;
    for (const [what, image, httpcode, code, path] of refused) {
      it(`says no to ${what}, and why`, async () => {
        const answer = await gateway.ask(`${DOCKER}&taskinfo.image=${image}`);
        expect(answer.reponseword).to.equal('NO');
        expect(answer).not.to.have.any.keys('servicetype', 'serviceinfo', 'interfaces');
        expect(answer.reponseinfo?.reasons?.[0]).to.include({ httpcode, code, path });
        expect(answer.reponseinfo?.reasons?.[0]?.text).to.be.a('string').and.not.equal('');
      });
    }

    it('asks no registry about a name that no rule has', async () => {
      gateway.takeAsked();
      await gateway.ask(`${DOCKER}&taskinfo.image=good.example.evil.org/x`);
      expect(gateway.takeAsked()).to.deep.equal([]);
    });

    it('asks as the caller', async () => {
      const query = `${DOCKER}&taskinfo.image=registry.test/members/one:1`;
      expect((await gateway.ask(query)).reponseword).to.equal('NO');
      expect((await gateway.ask(query, { authorization: 'Bearer stranger' })).reponseword).to.equal('NO');
      expect((await gateway.ask(query, { authorization: 'Bearer astronomer' })).reponseword).to.equal('YES');
    });

    for (const [what, taskinfo] of [
      ['a command with an open quote', 'taskinfo.command=%22a'],
      ['command and arg', 'taskinfo.command=a&taskinfo.arg=b'],
      ['two images', 'taskinfo.image=x'],
      ['a variable without a name', 'taskinfo.env.=x'],
      ['a variable that is none', 'taskinfo.env.A-B=x'],
      ['members of an image', 'taskinfo.image.name=x'],
    ] as const) {
      it(`calls ${what} malformed`, async () => {
        const answer = await gateway.get(`/accepts?${DOCKER}&taskinfo.image=registry.test/tools/derived:1&${taskinfo}`);
        expect(answer.status).to.equal(400);
        expect(answer.text).not.to.contain('reponseword');
      });
    }

    it('tells of members that it does not know', async () => {
      const answer = await gateway.ask(`${DOCKER}&taskinfo.image=registry.test/tools/derived:1&taskinfo.gpu=1&x=y&resources.maxunicorns=3`);
      expect(answer.reponseword).to.equal('YES');
      expect(answer.reponseinfo?.warnings?.map(({ code, path }) => `${code} ${path}`)).to.have.members(['taskinfo.unknown taskinfo.gpu', 'request.unknown x', 'resources.unknown resources.maxunicorns']);
    });

    it('says neither yes nor no when the registry cannot be asked', async () => {
      gateway.site.registry.takeDown('registry.test');
      try {
        const answer = await gateway.get(`/accepts?${DOCKER}&taskinfo.image=registry.test/tools/derived:1`);
        expect(answer.status).to.equal(503);
        expect(answer.headers['retry-after']).to.match(/^\d+$/);
        expect(answer.text).not.to.contain('reponseword');
        expect((await gateway.ask(`${DOCKER}&taskinfo.image=elsewhere.test/x`)).reponseword, 'what needs no registry is judged').to.equal('NO');
      } finally {
        gateway.site.registry.bringUp();
      }
    });
  });
});

describe('Execution Planner: a site whose policy accepts nothing', () => {
  const gateway = plannerGateway({ policy: 'rules: []' });

  it('says no to "a container", with the reason', async () => {
    const answer = await gateway.ask(DOCKER);
    expect(answer.reponseword).to.equal('NO');
    expect(answer.reponseinfo?.reasons?.[0]).to.include({ httpcode: 403, code: 'policy.accepts-nothing' });
  });
});

describe('Execution Planner: a caller who may have no jobs', () => {
  const gateway = plannerGateway({
    parts: { refuseCaller: (caller) => (caller.id === null ? { code: 'caller.anonymous', path: '', text: 'sign in to run jobs here' } : undefined) },
  });

  it('is told so, and nothing is judged', async () => {
    const answer = await gateway.ask(`${DOCKER}&taskinfo.image=registry.test/tools/derived:1`);
    expect(answer.reponseword).to.equal('NO');
    expect(answer.reponseinfo?.reasons).to.deep.equal([{ httpcode: 403, code: 'caller.anonymous', path: 'tasktype', text: 'sign in to run jobs here' }]);
    expect(gateway.takeAsked()).to.deep.equal([]);
    expect((await gateway.ask(DOCKER, { authorization: 'Bearer stranger' })).reponseword).to.equal('YES');
  });
});
