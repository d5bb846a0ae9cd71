// Nodemailer's MailComposer: writes mails for some time. Asked as: node nodemailer_composer.mjs SECONDS < mail.json,
// with the folder that Nodemailer is installed in as NODEMAILER. Prints how many it wrote in a second of its CPU, and
// the last of them in base64.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const MailComposer = createRequire(`${process.env.NODEMAILER}/`)('nodemailer/lib/mail-composer');
const [seconds] = process.argv.slice(2).map(Number);
const { from, to, subject, text, html, attachment } = JSON.parse(readFileSync(0, 'utf8'));
const content = attachment ? Buffer.from(attachment, 'base64') : null;

function write(number) {
  const attachments = content ? [{ filename: 'catalogue.pdf', content, contentType: 'application/pdf' }] : [];
  return new MailComposer({ from, to, subject: `${subject} ${number}`, text, html, attachments, newline: 'windows' })
    .compile()
    .build();
}

function used() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

for (let number = 0; number < 50; number++) await write(number);
const begun = used();
let written = 0;
while (used() - begun < seconds) await write(written++);
const rate = written / (used() - begun);
console.log(rate, (await write(0)).toString('base64'));
