// Nodemailer's pool: content as bytes (`raw`), TCP_NODELAY set, always as many mails waiting as the pool can take.
// Called as job.py says, with the folder that holds node_modules in NODEMAILER.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";

const nodemailer = createRequire(join(process.env.NODEMAILER, "x.js"))("nodemailer");
const [port, mails, octets, , secret, connections] = process.argv.slice(2).map(Number);
const authority = readFileSync(process.argv[8]);

const headers = "Subject: benchmark 000000000\r\n\r\n";
const lines = Math.floor((octets - headers.length) / 78);
const rest = (octets - headers.length) % 78;
const line = "x".repeat(76) + "\r\n";
const raw = Buffer.from(headers + line.repeat(lines - 1) + "x".repeat(76 + rest) + "\r\n");

const transport = nodemailer.createTransport({
  pool: true,
  maxConnections: connections,
  maxMessages: Infinity,
  host: "127.0.0.1",
  port,
  name: "client.test",
  secure: false,
  requireTLS: secret === 1,
  ignoreTLS: secret === 0,
  auth: secret ? { user: "u", pass: "p" } : undefined,
  tls: { ca: authority },
  getSocket(_options, done) {
    const connection = connect({ host: "127.0.0.1", port, noDelay: true }, () => done(null, { connection }));
    connection.once("error", done);
  },
});

async function send(many) {
  let left = many;
  const one = async () => {
    while (left-- > 0) {
      await transport.sendMail({ envelope: { from: "foo@a.test", to: ["bar@b.test"] }, raw });
    }
  };
  await Promise.all(Array.from({ length: 2 * connections }, one));
}

await send(4 * connections);
const used = process.cpuUsage();
const begun = process.hrtime.bigint();
await send(mails);
const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
const { user, system } = process.cpuUsage(used);
console.log(seconds.toFixed(6), ((user + system) / 1e6).toFixed(6));
transport.close();
