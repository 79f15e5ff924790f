import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { DockerOptions } from 'dockerode';
import type { EngineConfig } from './engine-config.ts';

const DEFAULT_SOCKET = '/var/run/docker.sock';
/** Finds the death of a peer that can no longer say so (milliseconds). */
const KEEP_ALIVE_MS = 30_000;

/** Where the engine is and how it is spoken to: dockerode's options, and the agent to destroy at the end. */
export interface DockerConnection {
  readonly options: DockerOptions & { readonly agent: HttpAgent };
  readonly agent: HttpAgent;
  /** What stands before every path of the engine's API; without a slash at its end. */
  readonly prefix?: string;
  /** Sent with every call. */
  readonly headers?: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Place = Pick<EngineConfig, 'host' | 'certificates' | 'plaintext' | 'portainer'>;

/**
 * The connection that configuration and environment (DOCKER_HOST, DOCKER_CERT_PATH, DOCKER_TLS_VERIFY) ask for;
 * configuration wins. Throws an Error for the operator where they contradict each other or where a distant engine would be
 * spoken to without TLS.
 */
export function dockerConnection(place: Place, environment: Environment): DockerConnection {
  if (place.portainer !== undefined) return portainerConnection(place.portainer, place.plaintext);
  const host = place.host ?? (environment['DOCKER_HOST'] || `unix://${DEFAULT_SOCKET}`);
  if (host.startsWith('unix://')) return unixConnection(host.slice('unix://'.length) || DEFAULT_SOCKET);
  const match = /^(?:tcp|https?):\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})\/?$/.exec(host);
  if (!match) throw new Error('the engine host must be unix:///path/of/socket or tcp://host:port; ssh and npipe are not supported');
  const name = (match[1] ?? '').replace(/^\[|\]$/g, '');
  const wanted = place.certificates ?? (environment['DOCKER_TLS_VERIFY'] ? environment['DOCKER_CERT_PATH'] : undefined);
  if (wanted !== undefined) return tlsConnection(name, Number(match[2]), wanted);
  if (host.startsWith('https:') || environment['DOCKER_TLS_VERIFY']) throw new Error('TLS to the engine needs certificates: set engine.certificates or DOCKER_CERT_PATH');
  if (!place.plaintext && !isLoopback(name)) {
    throw new Error(`whoever can reach the engine at ${host} without TLS is root there: set engine.certificates, or engine.plaintext if its network is closed`);
  }
  const agent = quiet(new HttpAgent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS }));
  return { agent, options: { ...NOTHING, host: name, port: Number(match[2]), protocol: 'http', agent } };
}

/** dockerode reads DOCKER_HOST and its kin by itself for whatever is not said; so everything is said. */
const NOTHING: DockerOptions = {
  socketPath: undefined, host: undefined, port: undefined, ca: undefined, cert: undefined, key: undefined, timeout: undefined,
};

function unixConnection(socketPath: string): DockerConnection {
  const agent = quiet(new HttpAgent({ keepAlive: true }));
  return { agent, options: { ...NOTHING, socketPath, protocol: 'http', agent } };
}

function tlsConnection(host: string, port: number, folder: string): DockerConnection {
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((file) => readFileSync(join(folder, file)));
  // The agent holds the material too: an agent of one's own takes nothing from the request's options when it reuses a socket.
  const agent = quiet(new HttpsAgent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, ca, cert, key, minVersion: 'TLSv1.2' }));
  return { agent, options: { ...NOTHING, host, port, protocol: 'https', ca, cert, key, agent } };
}

/** The token gives what an engine's socket gives; so it goes over TLS, or does not leave this machine. */
function portainerConnection({ url, environment, tokenFile, ca: caFile }: NonNullable<Place['portainer']>, plaintext: boolean): DockerConnection {
  const { protocol, hostname, port, pathname, username, search, hash } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (username !== '' || search !== '' || hash !== '') throw new Error('engine.portainer.url must be an address and perhaps a path, nothing else');
  if (protocol === 'http:' && !plaintext && !isLoopback(host)) {
    throw new Error(`whoever hears the token for ${url} is root there: use https, or engine.plaintext if its network is closed`);
  }
  const token = readFileSync(tokenFile, 'utf8').replace(/\r?\n$/, '');
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error('the file engine.portainer.tokenFile must hold one access token and nothing else');
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) };
  const keepAlive = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS };
  const agent = quiet(protocol === 'https:' ? new HttpsAgent({ ...keepAlive, ...ca, minVersion: 'TLSv1.2' }) : new HttpAgent(keepAlive));
  const secure = protocol === 'https:';
  return {
    agent,
    options: { ...NOTHING, host, port: port === '' ? (secure ? 443 : 80) : Number(port), protocol: secure ? 'https' : 'http', ...ca, agent },
    prefix: `${pathname.replace(/\/+$/, '')}/api/endpoints/${String(environment)}/docker`,
    headers: { 'X-API-Key': token },
  };
}

/**
 * docker-modem writes out the options of every request for its debug log, whether there is one or not: with an agent's
 * sockets in them that costs more than the request (measured: 2 ms each).
 */
function quiet<A extends HttpAgent>(agent: A): A {
  return Object.assign(agent, { [inspect.custom]: () => 'Agent' });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
