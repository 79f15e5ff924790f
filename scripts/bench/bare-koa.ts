// A Koa that answers every request with the same bytes: what HTTP itself costs here. Arguments: file, content type.
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';

const [file = '', type = ''] = process.argv.slice(2);
const bytes = readFileSync(file);
const app = new Koa();
app.use((ctx) => {
  ctx.type = type;
  ctx.body = bytes;
});
const server = app.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
