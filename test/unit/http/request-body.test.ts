import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { boundaryOf, contentTypeOf, decodeForm, decodeQuery, decodeText, hasBody, openBody, parseContentType, readBody } from '../../../src/http/request-body.ts';
import { parseJsonBody } from '../../../src/http/json-body.ts';

const code = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
  return 'none';
};

describe('decodeForm', () => {
  it('keeps order, repetition, letter case and empty values', () => {
    expect(decodeForm(Buffer.from('b=2&a=1&b=3&A&=x&&c=d=e'))).to.deep.equal([
      { name: 'b', value: '2' }, { name: 'a', value: '1' }, { name: 'b', value: '3' }, { name: 'A', value: '' }, { name: '', value: 'x' }, { name: 'c', value: 'd=e' },
    ]);
  });

  it('decodes plus signs, escapes and raw UTF-8', () => {
    expect(decodeForm(Buffer.from('a+b=c+d%2Be%20%C3%A9&f=é&%5F=x'))).to.deep.equal([{ name: 'a b', value: 'c d+e é' }, { name: 'f', value: 'é' }, { name: '_', value: 'x' }]);
  });

  for (const body of ['a=%ZZ', 'a=%', 'a=%2', '%GG=1', 'a=%FF', 'a=%C3', 'a=%ED%A0%80']) {
    it(`refuses ${body}`, () => {
      expect(code(() => decodeForm(Buffer.from(body)))).to.equal('BadRequest');
    });
  }

  it('refuses bytes that are not UTF-8', () => {
    expect(code(() => decodeForm(Buffer.from([0x61, 0x3d, 0xff])))).to.equal('BadRequest');
  });

  it('refuses another charset, and takes UTF-8 in any spelling', () => {
    expect(code(() => decodeForm(Buffer.from('a=1'), parseContentType('application/x-www-form-urlencoded; charset=iso-8859-1')))).to.equal('UnsupportedMediaType');
    expect(decodeForm(Buffer.from('a=1'), parseContentType('application/x-www-form-urlencoded;CHARSET="UTF-8"'))).to.have.length(1);
  });

  it('refuses more names than anybody needs', () => {
    expect(code(() => decodeForm(Buffer.from('a&'.repeat(2001))))).to.equal('BadRequest');
  });
});

describe('decodeQuery', () => {
  it('reads the query of a path, raw UTF-8 as Node hands it over', () => {
    expect(decodeQuery(Buffer.from('/x?a=é&b=uri://y?z#f').toString('latin1'))).to.deep.equal([{ name: 'a', value: 'é' }, { name: 'b', value: 'uri://y?z' }]);
    expect(decodeQuery('/x')).to.deep.equal([]);
  });
});

describe('parseContentType', () => {
  it('reads quoted and bare parameters, with and without blanks', () => {
    expect(boundaryOf(parseContentType('Multipart/Form-Data;boundary="a;b\\"<c>-"'))).to.equal('a;b"<c>-');
    expect(boundaryOf(parseContentType('multipart/form-data ; x=y;BOUNDARY= a-b ;'))).to.equal('a-b');
    expect(parseContentType('Text/YAML').value).to.equal('text/yaml');
  });

  for (const text of ['text', 'a/b; c="', 'a/b; =x', 'a b/c', '/', 'a/b;x y']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(code(() => parseContentType(text))).to.equal('UnsupportedMediaType');
    });
  }

  it('misses a boundary', () => {
    expect(code(() => boundaryOf(parseContentType('multipart/form-data; boundary=""')))).to.equal('BadRequest');
    expect(code(() => boundaryOf(parseContentType('multipart/form-data')))).to.equal('BadRequest');
  });
});

describe('decodeText', () => {
  it('takes off a byte order mark', () => {
    expect(decodeText(Buffer.from('\ufeffa'))).to.equal('a');
  });
});

describe('parseJsonBody', () => {
  it('gives the value', () => {
    expect(parseJsonBody('{"a":[{"b":"\\"{,"},{"b":1}],"c":"a","":{"a":null}}')).to.deep.equal({ a: [{ b: '"{,' }, { b: 1 }], c: 'a', '': { a: null } });
  });

  for (const text of ['', '{', '{"a":1,}', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"x":{"a":1,"b":[],"a":2}}]', `${'['.repeat(33)}${']'.repeat(33)}`, '['.repeat(100000)]) {
    it(`refuses ${text.slice(0, 40)}`, () => {
      expect(code(() => parseJsonBody(text))).to.equal('BadRequest');
    });
  }

  it('makes nothing of __proto__', () => {
    expect(parseJsonBody('{"__proto__":{"x":1}}')).to.have.own.property('__proto__');
  });

  it('does not repeat the document in its complaint', () => {
    expect(() => parseJsonBody('<script>')).to.throw(GatewayError).with.property('message').not.contain('script');
  });
});

describe('readBody', () => {
  let server: Server;
  let handle: (request: IncomingMessage) => Promise<string>;

  beforeEach(async () => {
    server = createServer((incoming, response) => {
      handle(incoming).then(
        (answer) => response.end(Buffer.from(answer, 'latin1')),
        (error: unknown) => {
          if (!(error instanceof GatewayError)) throw error;
          response.writeHead(error.status, error.headers).end(error.code);
        },
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    handle = async (incoming) => (await readBody(incoming, 1000)).toString('latin1');
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  function post(chunks: readonly Buffer[], headers: Record<string, string> = {}, agent?: Agent): Promise<{ status: number; text: string; headers: Record<string, unknown> }> {
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({ port: (server.address() as AddressInfo).port, method: 'POST', headers, ...(agent === undefined ? {} : { agent }) }, (response) => {
        let body = '';
        response.setEncoding('latin1').on('data', (chunk: string) => (body += chunk)).on('end', () => {
          resolve({ status: response.statusCode ?? 0, text: body, headers: response.headers });
        });
      });
      outgoing.on('error', reject);
      for (const chunk of chunks) outgoing.write(chunk);
      outgoing.end();
    });
  }

  it('gives the bytes as they came, chunked', async () => {
    expect(await post([Buffer.from([0, 255]), Buffer.from('x')])).to.include({ status: 200, text: '\0\xffx' });
  });

  it('takes exactly the limit', async () => {
    expect((await post([Buffer.alloc(1000)])).text).to.have.length(1000);
  });

  for (const [how, headers] of [['chunked', {}], ['with its length declared', { 'Content-Length': '1001' }]] as const) {
    it(`refuses one byte more, ${how}, and closes the connection`, async () => {
      const answer = await post([Buffer.alloc(600), Buffer.alloc(401)], headers);
      expect(answer).to.include({ status: 413, text: 'TooLarge' });
      expect(answer.headers.connection).to.equal('close');
    });
  }

  it('refuses a huge declared length without waiting for the bytes', async () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n');
    const answer = await new Promise<string>((resolve) => socket.once('data', (data: Buffer) => { resolve(data.toString()); }));
    expect(answer).to.match(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('stops reading an endless chunked body', async () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => socket.once('close', () => { resolve(); }));
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `10000\r\n${'x'.repeat(65536)}\r\n`;
    let sent = 0;
    const more = (): void => {
      while (!socket.destroyed && socket.writable) {
        sent += 65536;
        if (!socket.write(chunk)) break;
      }
    };
    socket.on('drain', more).resume();
    more();
    await ended;
    expect(sent).to.be.lessThan(64 * 1024 * 1024);
  });

  it('says that a body was cut off', async () => {
    const seen = new Promise<unknown>((resolve) => {
      handle = async (incoming) => {
        const error: unknown = await readBody(incoming, 1000).catch((reason: unknown) => reason);
        resolve(error);
        return '';
      };
    });
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc', () => socket.destroy());
    expect(await seen).to.be.instanceOf(GatewayError).with.property('code', 'BadRequest');
  });

  it('can answer after the first bytes, throw the rest away and serve the next request on the same connection', async () => {
    handle = async (incoming) => {
      const body = await openBody(incoming, 1000, 100);
      if (body.prefix.includes('stop')) {
        await body.discard();
        return 'stopped';
      }
      return `${String(body.prefix.length >= 100 || incoming.complete)} ${String((await body.whole()).length)}`;
    };
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await post([Buffer.from('stop'), Buffer.alloc(10_000_000)], {}, agent)).text).to.equal('stopped');
    expect((await post([Buffer.alloc(90), Buffer.alloc(700)], {}, agent)).text).to.equal('true 790');
    expect((await post([Buffer.from('x')], {}, agent)).text).to.equal('true 1');
    agent.destroy();
  });

  it('refuses a packed body', async () => {
    expect(await post([Buffer.from('x')], { 'Content-Encoding': 'gzip' })).to.include({ status: 415 });
  });

  it('tells whether there is a body, and of what type', async () => {
    handle = async (incoming) => `${String(hasBody(incoming))} ${contentTypeOf(incoming)?.value ?? 'none'}`;
    expect((await post([], { 'Content-Length': '0', 'Content-Type': 'A/b; c=d' })).text).to.equal('false a/b');
    expect((await post([Buffer.from('x')])).text).to.equal('true none');
  });
});
