import { once } from 'node:events';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { expect } from 'chai';
import { EgressContainer } from '../support/egress-container.ts';
import { Site } from '../support/site.ts';

/** Asks the proxy for a URL and prints the first and the last line of its answer; the input stays open until it is there. */
const ASK = `p=\${http_proxy#http://}; h=\${p%:*}; q=\${p#*:}
ask() { (printf 'GET %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' "$1"; sleep 1) | nc -w 5 $h $q | sed -n '1p;$p' | tr -d '\\r'; echo; }
`;

/** A rule gives its jobs a network profile: what they reach, and what they do not, on the real engine. */
describe('a job with a network', function () {
  this.timeout(120_000);
  const site = new Site();
  const egress = new EgressContainer();
  const docker = new Docker();
  const calls = { allowed: 0, forbidden: 0 };
  const servers: Record<keyof typeof calls, Server> = {
    allowed: createServer((_, response) => void (calls.allowed++, response.end('hello from the archive'))),
    forbidden: createServer((_, response) => void (calls.forbidden++, response.end('hello from nobody'))),
  };
  const port = (name: keyof typeof calls): string => String((servers[name].address() as AddressInfo).port);
  let host: string;

  before(async () => {
    for (const server of Object.values(servers)) await once(server.listen(0, '0.0.0.0'), 'listening');
    host = await egress.prepare();
    await site.open();
    const file = join(site.folder, 'pratique.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/engine: \{(.*)\}/, `engine: {$1, networks: [{ name: archives, egress: ${egress.name} }] }`).replaceAll('/job/**"]', '/job/plain"]'));
    appendFileSync(file, `    - { name: with-network, images: ["${site.registry.host}/job/**"], run: { network: archives } }\n`);
  });
  after(async () => {
    for (const server of Object.values(servers)) server.close();
    await site.close();
    await egress.close();
  });

  it('is refused, with the reason, at every door while its way out does not run; others are not', async () => {
    await site.start();
    const [image, plain] = [await site.push('one', 'true'), await site.push('plain', 'true')];
    const made = await site.post('/uws/docker', { IMAGE: image });
    expect(made.status).to.equal(403);
    expect(await made.text()).to.include('network archives: there is no such container');
    const accepts = await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}`, { headers: { Accept: 'application/json' } });
    expect(await accepts.text()).to.include('policy.engine');
    expect((await site.ended(await site.submit({ IMAGE: plain, PHASE: 'RUN' }))).phase).to.equal('COMPLETED');
    await site.end('SIGTERM');
  });

  it('reaches the hosts of its profile by its way out, and nothing else', async () => {
    await egress.start(await site.push('base', 'true'), [{ host, ports: [Number(port('allowed'))], internal: true }]);
    await site.start();
    const others = Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
    const script = `${ASK}
ask http://${host}:${port('allowed')}/
ask http://${host}:${port('forbidden')}/
ask http://169.254.169.254/
for t in ${[host, ...others].map((address) => `${address}:${port('forbidden')} ${address}:${port('allowed')} ${address}:${new URL(site.url).port}`).join(' ')} 169.254.169.254:80 \${h%.*}.1:${port('forbidden')} $h:22; do
  nc -w 2 \${t%:*} \${t#*:} </dev/null 2>/dev/null && echo "reached $t"
done
timeout 3 nslookup example.org 127.0.0.11 >/dev/null 2>&1 && echo resolved
grep -v ' lo$' /proc/net/if_inet6
echo END`;
    const url = await site.submit({ IMAGE: await site.push('reach', script), PHASE: 'RUN' });
    const job = await site.ended(url);
    expect(job.phase, job.errorSummary?.message).to.equal('COMPLETED');
    const lines = (await site.result(url, 'stdout')).split('\n').filter((line) => line !== '');
    expect(lines).to.deep.equal(['HTTP/1.1 200 OK', 'hello from the archive', ...Array.from({ length: 2 }, () => ['HTTP/1.1 403 Forbidden', 'this host and port are not on the list of what jobs may reach']).flat(), 'END']);
    expect(calls).to.deep.equal({ allowed: 1, forbidden: 0 });
    expect(job.jobInfo?.['relaxed']).to.deep.equal(['network archives']);
  });

  it('reaches no other job, and leaves no network behind', async () => {
    const listens = await site.submit({ IMAGE: await site.push('listens', 'nc -l -p 7000 -e echo reached'), PHASE: 'RUN' });
    await site.reaches(listens, 'EXECUTING');
    const [container] = await docker.listContainers({ filters: { label: [`pratique.gateway=${site.gatewayName}`, 'pratique.role=job'] } });
    const [address] = Object.values(container?.NetworkSettings.Networks ?? {}).map(({ IPAddress }) => IPAddress);
    expect(address).to.match(/^\d+(\.\d+){3}$/);
    const url = await site.submit({ IMAGE: await site.push('calls', `${ASK}nc -w 2 ${address ?? ''} 7000; ask http://${address ?? ''}:7000/; echo END`), PHASE: 'RUN' });
    await site.ended(url);
    expect(await site.result(url, 'stdout')).to.match(/^HTTP\/1\.1 403 Forbidden\n[^\n]*list[^\n]*\n+END\n$/);
    await site.post(new URL(`${listens}/phase`).pathname, { PHASE: 'ABORT' });
    await site.ended(listens);
    for (let look = 0; look < 100 && (await site.remains()).length > 0; look += 1) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await site.remains()).to.deep.equal([]);
    expect(await egress.networks()).to.deep.equal([`${egress.name}.outside`]);
  });
});
