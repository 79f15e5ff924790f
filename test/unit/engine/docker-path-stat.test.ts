import { expect } from 'chai';
import { pathStat } from '../../../src/engine/docker-path-stat.ts';

const header = (fields: unknown): { readonly 'x-docker-container-path-stat': string } => ({ 'x-docker-container-path-stat': Buffer.from(typeof fields === 'string' ? fields : JSON.stringify(fields)).toString('base64') });
const FILE = { name: 'x', size: 10, mode: 0o644, mtime: '2001-09-09T01:46:40Z', linkTarget: '' };

describe('what the engine says of a path in a container', () => {
  it('size, permissions and the time of its last change', () => {
    expect(pathStat(header(FILE))).to.deep.equal({ size: 10, isFile: true, permissions: 0o644, modified: 1_000_000_000_000 });
  });

  it('folders, links, pipes, sockets and devices are no files', () => {
    for (const kind of [0x80000000, 0x08000000, 0x02000000, 0x01000000, 0x04000000, 0x00200000]) {
      expect(pathStat(header({ ...FILE, mode: kind + 0o755 })), kind.toString(16)).to.deep.include({ isFile: false, permissions: 0o755 });
    }
  });

  it('is undefined where the header is missing, or is none', () => {
    for (const headers of [{}, header('{'), header('null'), header({}), header({ ...FILE, size: '10' })]) expect(pathStat(headers), JSON.stringify(headers)).to.equal(undefined);
  });
});
