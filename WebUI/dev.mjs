// For work on the interface: serves dist/files as the program would and hands everything else to a running server.
//
//   node dev.mjs 9000 http://127.0.0.1:8080
import { createReadStream, existsSync, statSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const [port, server] = [Number(process.argv[2] ?? 9000), new URL(process.argv[3] ?? 'http://127.0.0.1:8080')];
const files = join(dirname(fileURLToPath(import.meta.url)), 'dist', 'files');
const types = {
  '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html; charset=utf-8', '.svg': 'image/svg+xml', '.png': 'image/png',
  '.webmanifest': 'application/manifest+json', '.txt': 'text/plain; charset=utf-8',
};
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; "
  + "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const local = http.createServer((request, response) => {
  let path = request.url.split('?')[0];
  try { path = normalize(decodeURI(path)); } catch { /* An address that is no text names no file. */ }
  const wantsPage = (request.headers.accept ?? '').includes('text/html');
  let file = null;
  if ((path === '/' && wantsPage) || path === '/ui') file = 'index.html';
  else if (path.startsWith('/ui/') && path !== '/ui/server.json') {
    file = path.slice(4) || 'index.html';
    if (!existsSync(join(files, file)) || statSync(join(files, file)).isDirectory()) file = extname(file) || !wantsPage ? null : 'index.html';
  }
  if (file) {
    response.writeHead(200, { 'Content-Type': types[extname(file)], 'Cache-Control': file.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache', 'Content-Security-Policy': policy });
    createReadStream(join(files, file)).on('error', () => response.destroy()).pipe(response);
    return;
  }
  const onward = http.request({ host: server.hostname, port: server.port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => { response.destroy(); });
  response.on('close', () => onward.destroy());
  request.pipe(onward);
});
local.on('upgrade', (request, socket, head) => {
  const onward = net.connect(Number(server.port), server.hostname, () => {
    const lines = [`GET ${request.url} HTTP/1.1`];
    for (let at = 0; at < request.rawHeaders.length; at += 2) lines.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
    onward.write(`${lines.join('\r\n')}\r\n\r\n`);
    onward.write(head);
    onward.pipe(socket);
    socket.pipe(onward);
  });
  onward.on('error', () => socket.destroy());
  socket.on('error', () => onward.destroy());
});
local.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${local.address().port}/`));
