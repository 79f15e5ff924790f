import { expect } from 'chai';
import { child, children, parseXml } from '../../support/uws-documents.ts';
import { IMAGE, idOf, type UwsGateway, uwsGateway } from './uws-gateway.ts';

/** What jobInfo says, by name. */
async function info(gateway: UwsGateway, path: string): Promise<Record<string, string>> {
  const [found] = children(await parseXml((await gateway.client.get(path)).text), 'uws:jobInfo');
  return Object.fromEntries((found?.children ?? []).map(({ name, text }) => [name.replace('job:', ''), text]));
}

describe('how far a job is', () => {
  describe('that waits', () => {
    const gateway = uwsGateway({ execution: { offer: async () => ({ slots: 0, cores: 0, memory: 0 }) } });

    it('tells its place in the queue, which changes without a change of the job', async () => {
      const paths = [await gateway.create({ IMAGE, PHASE: 'RUN' }), await gateway.create({ IMAGE, PHASE: 'RUN' }), await gateway.create({ IMAGE, PHASE: 'RUN' })];
      const places = async (): Promise<readonly (string | undefined)[]> => Promise.all(paths.map(async (path) => (await info(gateway, path)).queuePosition));
      expect(await places()).to.deep.equal(['1', '2', '3']);
      await gateway.client.post(`${paths[0] ?? ''}/phase`, { PHASE: 'ABORT' });
      expect(await places()).to.deep.equal([undefined, '1', '2']);
      const json = JSON.parse((await gateway.client.get(paths[2] ?? '', { accept: 'application/json' })).text) as { jobInfo: object };
      expect(json.jobInfo).to.include({ queuePosition: 2 });
    });

    it('tells why nobody\'s turn comes, as long as that is so, without a change of the job', async () => {
      const path = await gateway.create({ IMAGE, PHASE: 'RUN' });
      // from here on the queue is open
      while (gateway.jobs.execution.standstill !== undefined) await new Promise((turn) => setImmediate(turn));
      const { revision } = await gateway.jobs.get(idOf(path));
      expect(await info(gateway, path)).to.not.have.any.keys('activity');
      gateway.jobs.execution.drain();
      expect((await info(gateway, path)).activity).to.match(/^waiting: .*is being drained/);
      gateway.jobs.execution.resume();
      expect(await info(gateway, path)).to.not.have.any.keys('activity');
      expect((await gateway.jobs.get(idOf(path))).revision).to.equal(revision);
    });
  });

  describe('whose image is pulled', () => {
    const gateway = uwsGateway();

    it('tells bytes pulled and bytes to pull, and nothing of that once it runs', async () => {
      const release = gateway.engine.holdPulls();
      const path = await gateway.create({ IMAGE, PHASE: 'RUN' });
      await gateway.jobs.until(idOf(path), ({ info: { pull } }) => pull !== undefined);
      expect(await info(gateway, path)).to.include({ pulledBytes: '50', pullBytes: '100' });
      release();
      await gateway.reaches(path, 'EXECUTING');
      expect(await info(gateway, path)).to.not.have.any.keys('pulledBytes', 'pullBytes', 'queuePosition', 'activity');
    });
  });

  describe('that runs', () => {
    const gateway = uwsGateway();
    const asked = (): number => gateway.engine.calls.filter(({ call }) => call === 'progress').length;

    it('tells the last line of its own /output/.uws/progress', async () => {
      const path = await gateway.executing();
      expect(await info(gateway, path)).to.not.have.any.keys('progress');
      gateway.engine.leave(idOf(path), '.uws/progress', 'step 1\nstep 2 <of> 3\n');
      gateway.clock.advance(2000);
      expect((await info(gateway, path)).progress).to.equal('step 2 <of> 3');
      gateway.engine.finish(idOf(path));
      await gateway.reaches(path, 'COMPLETED');
      expect(await info(gateway, path)).to.not.have.any.keys('progress');
    });

    it('is asked at most every two seconds, however many look, and not at all when nobody does', async () => {
      const path = await gateway.executing();
      const before = asked();
      gateway.clock.advance(60_000);
      expect(asked()).to.equal(before);
      await Promise.all(Array.from({ length: 20 }, () => gateway.client.get(path)));
      expect(asked()).to.equal(before + 1);
    });

    it('is told without when the engine does not answer', async () => {
      const path = await gateway.executing();
      gateway.engine.disconnect();
      expect((await gateway.client.get(path)).status).to.equal(200);
      gateway.engine.reconnect();
    });

    it('tells it to those who follow the job', async () => {
      const path = await gateway.executing();
      gateway.engine.leave(idOf(path), '.uws/progress', 'half');
      gateway.clock.advance(3000);
      const response = await gateway.client.open('GET', `${path}/events`, {}, undefined);
      let text = '';
      for await (const chunk of response as AsyncIterable<Buffer>) {
        text += chunk.toString('utf8');
        if (text.includes('"progress":"half"')) {
          gateway.engine.leave(idOf(path), '.uws/progress', 'nearly');
          gateway.clock.advance(3000);
        }
        if (text.includes('"progress":"nearly"')) break;
      }
      expect(text).to.match(/event: info\ndata: \{[^\n]*"progress":"nearly"/);
      expect(child(await parseXml((await gateway.client.get(path)).text), 'uws:phase').text).to.equal('EXECUTING');
    });
  });
});
