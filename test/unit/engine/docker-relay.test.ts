import { expect } from 'chai';
import { listeningPorts } from '../../../src/engine/docker-relay.ts';

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const REST = '00000000:00000000 00:00000000 00000000 65534        0 123 1 0000000000000000 100 0 0 10 0\n';

describe('ports on which somebody listens, by the table of the kernel', () => {
  for (const [line, ports] of [
    ['   0: 00000000:1F90 00000000:0000 0A', [8080]],
    ['   0: 0100007F:1F90 00000000:0000 0A', [8080]],
    ['  10: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A', [80]],
    ['   0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A', [80]],
    // of another address only: not reached by the loopback
    ['   0: 020011AC:1F90 00000000:0000 0A', []],
    ['   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A', []],
    // a connection, not a listener
    ['   0: 0100007F:1F90 0100007F:C350 01', []],
  ] as const) {
    it(`${line}: ${ports.join(' ') || 'none'}`, () => {
      expect([...listeningPorts(`${HEADER}${line} ${REST}`)]).to.deep.equal(ports);
    });
  }
});
