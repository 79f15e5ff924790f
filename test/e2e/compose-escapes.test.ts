import { expect } from 'chai';
import { closeSync, constants, openSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { ContainerInspectInfo } from 'dockerode';
import { ESCAPES, type Escape, FORMS } from '../support/compose-escapes.ts';
import { composeSite, judgeCompose } from '../support/compose-site.ts';
import { naiveProject } from '../support/naive-runner.ts';
import { buildImage } from '../support/oci-image.ts';
import type { JudgedSite } from '../support/site-policy.ts';
import { DockerWorld } from '../contract/engine-docker.ts';

/** What is on this machine, beside the containers: another tenant, the disk, the tests themselves. */
interface Surroundings {
  /** Of the container of another tenant, and of his volume and network. */
  readonly tenant: string;
  /** A device of the host that can be opened, and no container has: its path, and its kind, major and minor number. */
  readonly device: { readonly path: string; readonly numbers: string };
  /** Where the engine keeps everything. */
  readonly engineRoot: string;
}

/** Proves that a container reached beyond itself: a command in it, and what it says if so. */
interface Proof {
  readonly escape: string;
  /** Instead of names in the escape that this machine does not have. */
  readonly here?: (around: Surroundings) => readonly (readonly [there: string, here: string])[];
  readonly probe: (around: Surroundings) => string;
  readonly says: (around: Surroundings) => string | RegExp;
  /** What a container has that its engine may not start, being confined itself: then it is proof enough that it was to have it. */
  readonly asked?: (host: ContainerInspectInfo['HostConfig']) => boolean;
}

/** An engine that is confined itself cannot give what it does not have. */
const ASKED = 'the engine was asked for it';
const SECRET = 'a-secret-of-another-tenant';
const OWN = (around: Surroundings, root: string): string => `ls ${root}${around.engineRoot}/containers | grep -c "^$(hostname)"`;
const OPENED = (path: string): string => `: <${path} && echo opened`;
const status = (name: string): string => `sed -n 's/^${name}:[^0-9a-f]*//p' /proc/self/status`;
const socketInode = (): string => String(statSync('/var/run/docker.sock').ino);
const namespace = (kind: string): Pick<Proof, 'probe' | 'says'> => ({ probe: () => `readlink /proc/self/ns/${kind}`, says: () => readlinkSync(`/proc/self/ns/${kind}`) });
const tenantAs = (there: string): NonNullable<Proof['here']> => ({ tenant }) => [[there, tenant]];
/** Every capability that there is. */
const allCapabilities = (): string => /^CapBnd:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 'unknown';

const PROOFS: readonly Proof[] = [
  ...['bind of /', 'bind, long', 'driver_opts bind'].map((escape): Proof => ({ escape, probe: (around) => OWN(around, escape === 'bind of /' ? '/host' : '/x'), says: () => '1' })),
  { escape: 'bind of /proc', probe: () => `ls /host | grep -c '^${String(process.pid)}$'`, says: () => '1' },
  { escape: 'bind of /etc', probe: () => 'cat /host/machine-id /host/hostname 2>/dev/null', says: () => ['machine-id', 'hostname'].map((name) => contentOf(`/etc/${name}`)).join('').trim() },
  ...['bind of the socket', 'use_api_socket', 'use_api_socket, a word'].map((escape): Proof => ({ escape, probe: () => 'stat -c %i /var/run/docker.sock', says: socketInode })),
  ...['privileged', 'privileged, a word', 'privileged, a letter', 'privileged, on', 'privileged, a number'].map((escape): Proof => ({
    escape, probe: ({ device }) => `${OPENED(device.path)}; ${status('Seccomp')}`, says: () => 'opened\n0', asked: (host) => host.Privileged === true,
  })),
  { escape: 'cap_add ALL', probe: () => status('CapEff'), says: allCapabilities, asked: (host) => (host.CapAdd as readonly string[] | undefined)?.includes('ALL') === true },
  { escape: 'cap_add SYS_ADMIN', probe: () => `echo $((0x$(${status('CapEff')}) >> 21 & 1))`, says: () => '1' },
  { escape: 'cap_add SYS_MODULE', probe: () => `echo $((0x$(${status('CapEff')}) >> 16 & 1))`, says: () => '1' },
  { escape: 'devices', here: ({ device }) => [['/dev/sda', device.path]], probe: ({ device }) => OPENED(device.path), says: () => 'opened' },
  { escape: 'device_cgroup_rules', probe: ({ device }) => `mknod /tmp/device ${device.numbers} && ${OPENED('/tmp/device')}`, says: () => 'opened' },
  { escape: 'seccomp', probe: () => status('Seccomp'), says: () => '0' },
  { escape: 'pid', probe: () => `tr '\\0' ' ' </proc/${String(process.pid)}/cmdline`, says: () => /mocha/ },
  // what the engine has in common with this process, being on the same machine
  { escape: 'ipc', ...namespace('ipc') },
  { escape: 'uts', ...namespace('uts') },
  { escape: 'network_mode host', ...namespace('net') },
  { escape: 'network of another container', here: tenantAs('registry'), probe: () => 'nc -w 5 127.0.0.1 8080 </dev/null', says: () => SECRET },
  { escape: 'external network, a word', here: ({ tenant }) => [['"name":"host"', `"name":${JSON.stringify(tenant)}`]], probe: ({ tenant }) => `nc -w 5 ${tenant} 8080 </dev/null`, says: () => SECRET },
  { escape: 'pid of another container', here: tenantAs('registry'), probe: () => `tr '\\0' ' ' </proc/1/cmdline`, says: () => new RegExp(`echo ${SECRET}`) },
  { escape: 'volumes_from', here: tenantAs('registry'), probe: () => 'cat /tenant/secret', says: () => SECRET },
  { escape: 'external volume, a word', here: ({ tenant }) => [['"name":"other"', `"name":${JSON.stringify(tenant)}`]], probe: () => 'cat /x/secret', says: () => SECRET },
  { escape: 'volume name', here: tenantAs('pratique-other.job.output'), probe: () => 'cat /x/secret', says: () => SECRET },
  { escape: 'env_file', probe: () => 'echo "$PATH"', says: () => (process.env['PATH'] ?? '').trim() },
  { escape: 'environment of the gateway, mapping', probe: () => 'echo "$HOME"', says: () => process.env['HOME'] ?? '' },
  { escape: 'config of a file', probe: () => 'wc -c </conf', says: () => String(statSync('/etc/shadow').size) },
];

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The first device that can be opened at all, by who runs the tests and therefore by the engine. */
function findDevice(): Surroundings['device'] {
  for (const name of ['fuse', 'loop-control', 'net/tun', 'kvm', 'autofs', 'vda', 'sda', 'nvme0n1']) {
    const path = `/dev/${name}`;
    try {
      closeSync(openSync(path, 'r'));
      const { rdev, mode } = statSync(path);
      // as makedev(3) has it, for numbers below 256
      return { path, numbers: `${(mode & constants.S_IFMT) === constants.S_IFBLK ? 'b' : 'c'} ${String((rdev >> 8) & 0xfff)} ${String((rdev & 0xff) | ((rdev >> 12) & 0xfff00))}` };
    } catch {
      // not there, or not for us
    }
  }
  throw new Error('there is no device of the host that can be opened');
}

/** The file of an escape, in JSON so that names can be replaced, as it is for this machine. */
function adapted({ name, service, top }: Escape, pairs: readonly (readonly [string, string])[]): Escape {
  const swap = (tree: unknown): Record<string, unknown> | undefined => {
    if (tree === undefined) return undefined;
    return JSON.parse(pairs.reduce((text, [there, here]) => text.replaceAll(there, here), JSON.stringify(tree))) as Record<string, unknown>;
  };
  const [own, tops] = [swap(service), swap(top)];
  return { name, ...(own === undefined ? {} : { service: own }), ...(tops === undefined ? {} : { top: tops }) };
}

describe('hostile compose files, run by who does not judge them', function () {
  this.timeout(120_000);
  let world: DockerWorld;
  let image: string;
  let around: Surroundings;
  let site: JudgedSite;

  before(async () => {
    site = await composeSite();
    world = await DockerWorld.start();
    const published = await world.publish(await buildImage());
    await world.engine.ensureImage(published, () => undefined, new AbortController().signal);
    image = `${published.reference.domain}/${published.reference.path}@${published.manifestDigest}`;
    const tenant = `${world.gateway}-tenant`;
    around = { tenant, device: findDevice(), engineRoot: ((await world.docker.info()) as { DockerRootDir: string }).DockerRootDir };
    await world.docker.createVolume({ Name: tenant });
    await world.docker.createNetwork({ Name: tenant, Internal: true });
    const script = `echo ${SECRET} >/tenant/secret; while :; do echo ${SECRET} | nc -l -p 8080; done`;
    await (await world.docker.createContainer({ name: tenant, Image: image, Cmd: ['sh', '-c', script], HostConfig: { Binds: [`${tenant}:/tenant`], NetworkMode: tenant } })).start();
  });
  after(async () => {
    const { tenant } = around;
    await world.docker.getContainer(tenant).remove({ force: true, v: true });
    await world.docker.getNetwork(tenant).remove();
    await world.docker.getVolume(tenant).remove();
    await world.stop();
  });

  /** What the container says that a runner makes of the file which judges nothing. */
  async function runNaively(text: string, variables: Readonly<Record<string, string>>, { probe, asked }: Pick<Proof, 'probe' | 'asked'>): Promise<string> {
    const { container: payload, volumes } = naiveProject(text, variables, world.gateway);
    for (const volume of volumes) await world.docker.createVolume(volume);
    const container = await world.docker.createContainer({ ...payload, Image: image, Cmd: ['sh', '-c', `mkdir -p /tmp; ${probe(around)}`], Labels: { test: world.gateway } });
    try {
      const failure = await container.start().then(() => undefined, (error: unknown) => (error instanceof Error ? error : new Error(String(error))));
      if (failure !== undefined) {
        if (asked === undefined || !failure.message.includes('operation not permitted')) throw failure;
        return asked((await container.inspect()).HostConfig) ? ASKED : 'not asked';
      }
      await container.wait();
      return withoutFrames(await container.logs({ stdout: true, stderr: false, follow: false })).trim();
    } finally {
      await container.remove({ force: true, v: true });
      for (const { Name } of volumes) await world.docker.getVolume(Name).remove();
    }
  }

  for (const proof of PROOFS) {
    it(`${proof.escape}: reaches beyond the container there, in every form; here none is accepted`, async () => {
      const original = ESCAPES.find(({ name }) => name === proof.escape);
      if (original === undefined) throw new Error(`the collection has no ${proof.escape}`);
      const escape = adapted(original, proof.here?.(around) ?? []);
      const [first, ...others] = FORMS.map((form) => ({ form, ...form.write(escape) }));
      const says = proof.says(around);
      const said = await runNaively(first?.text ?? '', first?.variables ?? {}, proof);
      if (said === ASKED) expect(proof.asked).not.to.equal(undefined);
      else if (typeof says === 'string') expect(said).to.equal(says);
      else expect(said).to.match(says);
      // the same container would be made of every other form
      const made = naiveProject(first?.text ?? '', first?.variables ?? {}, 'x');
      for (const { form, text, variables = {} } of others) expect(naiveProject(text, variables, 'x'), form.name).to.deep.equal(made);
      for (const { form, text, variables = {} } of FORMS.map((each) => ({ form: each, ...each.write(escape) }))) {
        expect((await judgeCompose(site, text, { variables })).accepted, form.name).to.equal(false);
      }
    });
  }

  it('a harmless file reaches none of it', async () => {
    const probe = (): string => PROOFS.map((proof) => `(${proof.probe(around)}) 2>/dev/null`).join('; echo @@; ');
    const said = (await runNaively('services: {web: {image: x}}', {}, { probe })).split(/@@(?:\n|$)/);
    expect(said).to.have.length(PROOFS.length);
    for (const [i, proof] of PROOFS.entries()) {
      const says = proof.says(around);
      if (typeof says === 'string') expect(said[i]?.trim(), proof.escape).not.to.equal(says);
      else expect(said[i], proof.escape).not.to.match(says);
    }
  });
});

/** The engine puts eight bytes before each piece of output. */
function withoutFrames(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    text += bytes.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}
