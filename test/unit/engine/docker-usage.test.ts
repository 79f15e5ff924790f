import { expect } from 'chai';
import { readStats } from '../../../src/engine/docker-usage.ts';
import { GatewayError } from '../../../src/errors.ts';

const READ = '2026-11-24T01:49:21.710242748Z';

/** What Engine 20.10 answers on a host with cgroups v1, what is not read left out. */
const V1 = {
  read: READ,
  pids_stats: { current: 1 },
  blkio_stats: { io_service_bytes_recursive: [{ major: 8, minor: 0, op: 'Read', value: 100 }, { major: 8, minor: 0, op: 'Write', value: 7 }, { major: 8, minor: 16, op: 'Write', value: 3 }, { major: 8, minor: 0, op: 'Total', value: 110 }] },
  cpu_stats: { cpu_usage: { total_usage: 2_034_246_129, percpu_usage: [1, 2] }, system_cpu_usage: 1, online_cpus: 2 },
  memory_stats: { usage: 540_672, max_usage: 4_059_136, limit: 25_276_510_208 },
};

/** With cgroups v2, on two networks. */
const V2 = {
  read: READ,
  blkio_stats: { io_service_bytes_recursive: [{ major: 8, minor: 0, op: 'read', value: 5 }, { major: 8, minor: 0, op: 'write', value: 6 }] },
  cpu_stats: { cpu_usage: { total_usage: 5e8 } },
  memory_stats: { usage: 1000, stats: { anon: 1 } },
  networks: { eth0: { rx_bytes: 1, tx_bytes: 2, rx_packets: 9 }, eth1: { rx_bytes: 10, tx_bytes: 20 } },
};

/** Of a container that is over. */
const OVER = { read: '0001-01-01T00:00:00Z', blkio_stats: { io_service_bytes_recursive: null }, cpu_stats: { cpu_usage: { total_usage: 0 } }, memory_stats: {} };

describe('what the engine tells of a container', () => {
  it('is in seconds and bytes, the peak as the kernel has kept it', () => {
    expect(readStats(V1)).to.deep.equal({ cpuSeconds: 2.034246129, peakMemory: 4_059_136, readBytes: 100, writtenBytes: 10 });
  });

  it('is the memory of the moment where the kernel keeps no peak; networks are added', () => {
    expect(readStats(V2)).to.deep.equal({ cpuSeconds: 0.5, peakMemory: 1000, readBytes: 5, writtenBytes: 6, receivedBytes: 11, sentBytes: 22 });
  });

  it('has no bytes of disks and networks where the engine does not count them', () => {
    expect(readStats({ ...V1, blkio_stats: { io_service_bytes_recursive: [] } })).to.deep.equal({ cpuSeconds: 2.034246129, peakMemory: 4_059_136 });
  });

  it('is nothing of a container that does not run, which is not the same as zero', () => {
    expect(readStats(OVER)).to.equal(undefined);
    expect(readStats({ ...V2, memory_stats: {} })).to.equal(undefined);
  });

  it('is refused where it is not of the API', () => {
    expect(() => readStats({ message: 'hello' })).to.throw(GatewayError, 'not of its API');
  });
});
