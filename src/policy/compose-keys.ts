import { allow, constrain, deny, denyForGood, denyTrue, ignore, type KeyRule } from './compose-key-rule.ts';
import { SERVICE_KEYS } from './compose-service-keys.ts';

const PLUGIN = 'plugins run as root on the host';
const READS_ENVIRONMENT = "would read the gateway's own environment";
const READS_FILE = 'would read a file of the gateway';
const GIVE_CONTENT = 'give its content here, as a variable of the request';
const CONTENT = { correction: 'content' } as const;
const GIVE_SECRET = 'write external: true, and give the value with the job, as the parameter SECRET.<NAME>';
const SECRET = { correction: 'secret' } as const;
const LABELS = constrain('as labels of services');
const TEMPLATE = deny('templates are not evaluated here');

const CONFIG_KEYS: Readonly<Record<string, KeyRule>> = {
  configs: constrain('with their content in this file'),
  'configs.*': constrain('with its content in this file'),
  'configs.*.name': ignore('names on the engine are given by the gateway'),
  'configs.*.content': constrain('text of a limited size'),
  'configs.*.environment': deny(READS_ENVIRONMENT, GIVE_CONTENT, CONTENT),
  'configs.*.file': deny(READS_FILE, GIVE_CONTENT, CONTENT),
  'configs.*.external': deny('would use what somebody else has put on the engine', GIVE_CONTENT, { ...CONTENT, unlessFalse: true }),
  'configs.*.labels': LABELS,
  'configs.*.template_driver': TEMPLATE,
};

const SECRET_KEYS: Readonly<Record<string, KeyRule>> = {
  secrets: constrain('with their content in this file, or given with the job'),
  'secrets.*': constrain('with its content in this file, or given with the job'),
  // it would name another parameter than the one that whoever reads the file expects
  'secrets.*.name': ignore('the parameter of an external secret has the name that the file uses, SECRET.<NAME>'),
  'secrets.*.content': constrain('text of a limited size'),
  'secrets.*.environment': deny(READS_ENVIRONMENT, GIVE_SECRET, SECRET),
  'secrets.*.file': deny(READS_FILE, GIVE_SECRET, SECRET),
  'secrets.*.external': constrain('its value is a parameter of the job, SECRET.<NAME>, and of nothing on the engine'),
  'secrets.*.labels': LABELS,
  'secrets.*.driver': deny(PLUGIN, GIVE_SECRET, SECRET),
  'secrets.*.driver_opts': deny(PLUGIN, GIVE_SECRET, SECRET),
  'secrets.*.template_driver': TEMPLATE,
};

/**
 * Every key of the Compose Specification (compose-spec 170098ba, compose-go e70e961c), `*` for any name and `[]` for any item.
 * What is not here is no key. A key that has keys below it here has no others; one that has none is looked at as a whole.
 */
export const COMPOSE_KEYS: Readonly<Record<string, KeyRule>> = {
  version: ignore('there is one version of the format'),
  name: constrain('projects are named by the gateway'),
  include: denyForGood('would read other files, of the gateway or from elsewhere', 'write their content into this file'),
  services: constrain('at least one, and not too many'),
  'services.*': constrain('one service'),
  ...Object.fromEntries(Object.entries(SERVICE_KEYS).map(([key, rule]) => [`services.*.${key}`, rule])),
  networks: constrain("the job's own"),
  'networks.*': constrain("one of the job's own"),
  'networks.*.name': deny('would join a network of somebody else'),
  'networks.*.driver': constrain('"bridge"; others reach the interfaces of the host'),
  'networks.*.driver_opts': deny('options of network drivers reach the host'),
  'networks.*.ipam': constrain('addresses are given by the engine'),
  'networks.*.ipam.driver': constrain('"default"'),
  'networks.*.ipam.config': constrain('addresses are given by the engine'),
  'networks.*.ipam.options': constrain('addresses are given by the engine'),
  'networks.*.external': denyTrue('would join a network that is there already', "leave it out: the job's own network is made for it"),
  'networks.*.internal': allow('every network of a job is'),
  'networks.*.enable_ipv4': ignore('the engine decides'),
  'networks.*.enable_ipv6': ignore('the engine decides'),
  'networks.*.attachable': denyTrue('would let others join'),
  'networks.*.labels': LABELS,
  volumes: constrain("the job's own"),
  'volumes.*': constrain("one of the job's own"),
  'volumes.*.name': deny('would use a volume of somebody else'),
  'volumes.*.driver': constrain(`"local"; ${PLUGIN}`),
  'volumes.*.driver_opts': deny('options of the driver mount folders of the host, or of other hosts'),
  'volumes.*.external': denyTrue('would use a volume that is there already', "leave it out: an empty volume of the job's own is made for it"),
  'volumes.*.labels': LABELS,
  ...SECRET_KEYS,
  ...CONFIG_KEYS,
  models: denyForGood('starts a program on the host', 'run the model in a service'),
};

/** Extensions, at any place where there are keys: never acted on, though aliases and merge keys may bring them elsewhere. */
export const EXTENSION_RULE: KeyRule = ignore('it is an extension');
