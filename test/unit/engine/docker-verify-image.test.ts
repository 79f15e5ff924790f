import { expect } from 'chai';
import { parseImage } from '../../../src/engine/docker-inspect.ts';
import { imageDifferences } from '../../../src/engine/docker-verify-image.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { IMAGE } from './judged-task.ts';

/** What GET /images/{name}/json of Engine 20.10 says of IMAGE. */
const SEEN = {
  Id: IMAGE.configDigest,
  Os: 'linux',
  Architecture: 'amd64',
  RootFS: { Type: 'layers', Layers: [...IMAGE.diffIds] },
  Config: {
    User: 'app',
    Env: ['PATH=/bin', 'A=image'],
    Entrypoint: ['/bin/tool'],
    Cmd: ['--help'],
    WorkingDir: '/data',
    Volumes: { '/tmp': {}, '/cache': {} },
    ExposedPorts: { '80/tcp': {} },
    Labels: { 'traefik.enable': 'true', maintainer: 'x' },
    StopSignal: 'SIGINT',
    Healthcheck: { Test: ['CMD', 'curl'] },
  },
};

function differences(seen: object): string[] {
  return imageDifferences(IMAGE, parseImage(seen));
}

describe('imageDifferences', () => {
  it('none where the engine sees what was judged', () => {
    expect(differences(SEEN)).to.deep.equal([]);
  });

  it("the id may be the manifest's digest: containerd's image store", () => {
    expect(differences({ ...SEEN, Id: IMAGE.manifestDigest })).to.deep.equal([]);
  });

  it('absent and empty are one', () => {
    const bare = { ...IMAGE, config: { user: '', env: [], entrypoint: [], command: [], workingDirectory: '', volumes: [], exposedPorts: [], labels: {}, stopSignal: '', healthcheck: [] } };
    for (const Config of [undefined, null, {}, { Env: null, Labels: null, Healthcheck: null, User: '' }]) {
      expect(imageDifferences(bare, parseImage({ ...SEEN, Config }))).to.deep.equal([]);
    }
  });

  it('a default variant is none', () => {
    const arm = { ...IMAGE, platform: { os: 'linux', architecture: 'arm64', variant: '' } };
    expect(imageDifferences(arm, parseImage({ ...SEEN, Architecture: 'arm64', Variant: 'v8' }))).to.deep.equal([]);
    expect(imageDifferences(arm, parseImage({ ...SEEN, Architecture: 'arm64', Variant: 'v9' }))).to.deep.equal(['variant']);
  });

  const { Config } = SEEN;
  const cases: readonly (readonly [string, object])[] = [
    ['id', { ...SEEN, Id: digestOf('other') }],
    ['os', { ...SEEN, Os: 'windows' }],
    ['architecture', { ...SEEN, Architecture: 'arm64' }],
    ['variant', { ...SEEN, Variant: 'v3' }],
    ['layers', { ...SEEN, RootFS: { Type: 'layers', Layers: [...IMAGE.diffIds].reverse() } }],
    ['layers', { ...SEEN, RootFS: { Type: 'layers', Layers: [IMAGE.diffIds[0]] } }],
    ['layers', { ...SEEN, RootFS: { Type: 'layers', Layers: [...IMAGE.diffIds, digestOf('more')] } }],
    ['layers', { ...SEEN, RootFS: { Type: 'layers+base', Layers: [...IMAGE.diffIds] } }],
    ['layers', { ...SEEN, RootFS: { Type: 'layers' } }],
    ['config.User', { ...SEEN, Config: { ...Config, User: '0' } }],
    ['config.Env', { ...SEEN, Config: { ...Config, Env: ['PATH=/bin', 'A=image', 'LD_PRELOAD=/x'] } }],
    ['config.Env', { ...SEEN, Config: { ...Config, Env: ['A=image', 'PATH=/bin'] } }],
    ['config.Entrypoint', { ...SEEN, Config: { ...Config, Entrypoint: ['/bin/tool', 'x'] } }],
    ['config.Entrypoint', { ...SEEN, Config: { ...Config, Entrypoint: null } }],
    ['config.Cmd', { ...SEEN, Config: { ...Config, Cmd: ['--help', ''] } }],
    ['config.WorkingDir', { ...SEEN, Config: { ...Config, WorkingDir: '/' } }],
    ['config.Volumes', { ...SEEN, Config: { ...Config, Volumes: { '/cache': {} } } }],
    ['config.ExposedPorts', { ...SEEN, Config: { ...Config, ExposedPorts: { '80/tcp': {}, '22/tcp': {} } } }],
    ['config.Labels', { ...SEEN, Config: { ...Config, Labels: { ...Config.Labels, maintainer: 'y' } } }],
    ['config.StopSignal', { ...SEEN, Config: { ...Config, StopSignal: 'SIGKILL' } }],
    ['config.Healthcheck', { ...SEEN, Config: { ...Config, Healthcheck: { Test: ['CMD', 'other'] } } }],
  ];
  for (const [name, seen] of cases) it(`${name} is told`, () => void expect(differences(seen)).to.deep.equal([name]));
});
