// npm's mailparser: reads a mail of each line (in base64), and writes what it found in it as a line of JSON.

'use strict';

const path = require('node:path');
const readline = require('node:readline');
const modules = path.resolve(__dirname, '../../.cache/real/mailparser/node_modules');
const { simpleParser } = require(path.join(modules, 'mailparser'));
const libmime = require(path.join(modules, 'libmime')); // mailparser's own; it leaves headers of no fame to us

const AS_IT_STANDS = { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true, skipTextLinks: true };

function people(field) {
  return field ? field.value.map(({ name, address }) => [name, address]) : [];
}

async function found(line) {
  const mail = await simpleParser(Buffer.from(line, 'base64'), AS_IT_STANDS);
  return {
    from: people(mail.from),
    to: people(mail.to),
    reply_to: people(mail.replyTo),
    subject: mail.subject ?? '',
    message_id: mail.messageId,
    date: mail.date,
    text: mail.text ?? null,
    html: mail.html || null,
    note: mail.headers.has('x-note') ? libmime.decodeWords(mail.headers.get('x-note')) : null,
    files: mail.attachments.map((each) => [
      each.filename ?? null,
      each.contentType,
      each.cid ?? null,
      each.content.toString('base64'),
    ]),
  };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await found(line))}\n`);
  }
}

main();
