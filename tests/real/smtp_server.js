// npm's smtp-server with a mailbox: STARTTLS and a login required, one file for each mail and recipient, byte for byte.
// Asked as: node smtp_server.js FOLDER; it says on which port it listens.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { SMTPServer } = require(path.resolve(__dirname, '../../.cache/real/smtp-server/node_modules/smtp-server'));

const folder = process.argv[2];
const TOKEN = 'ya29.a-token_of/its~own+kind==';
let stored = 0;

function refusal(code, words) {
  return Object.assign(new Error(words), { responseCode: code });
}

const REFUSED = {
  'nosuch@example.net': refusal(550, '5.1.1 no such user'),
  'grey@example.net': refusal(451, '4.2.0 greylisted'),
};

const server = new SMTPServer({
  name: 'mail.test',
  key: fs.readFileSync(path.join(folder, 'server.key')),
  cert: fs.readFileSync(path.join(folder, 'server.pem')),
  authMethods: ['XOAUTH2', 'PLAIN', 'LOGIN', 'CRAM-MD5'],
  hideDSN: false,
  hideREQUIRETLS: false,
  hideENHANCEDSTATUSCODES: true, // each answer below says its own
  disableReverseLookup: true,

  onAuth(auth, session, callback) {
    const known =
      auth.username === 'shop' &&
      (auth.method === 'XOAUTH2'
        ? auth.accessToken === TOKEN
        : auth.method === 'CRAM-MD5'
          ? auth.validatePassword('s3cret')
          : auth.password === 's3cret');
    callback(null, known ? { user: 'shop' } : { data: { status: '401', schemes: 'bearer', scope: 'mail' } });
  },

  onMailFrom(address, session, callback) {
    callback(address.address === 'banned@shop.example' ? refusal(550, '5.7.1 not you') : null);
  },

  onRcptTo(address, session, callback) {
    callback(REFUSED[address.address] || null);
  },

  onData(stream, session, callback) {
    const pieces = [];
    stream.on('data', (piece) => pieces.push(piece));
    stream.on('end', () => {
      const content = Buffer.concat(pieces);
      if (content.includes('\r\nX-Spam: yes\r\n')) {
        return callback(refusal(550, '5.7.1 spam'));
      }
      for (const recipient of session.envelope.rcptTo) {
        const trace = `X-Original-To: ${recipient.address}\r\nX-Envelope: ${JSON.stringify(session.envelope)}\r\n`;
        fs.writeFileSync(path.join(folder, 'new', String(++stored)), Buffer.concat([Buffer.from(trace), content]));
      }
      callback(null, `2.0.0 stored as ${stored}`);
    });
  },
});

server.on('error', () => {}); // a client's broken line is the client's to tell
server.listen(0, '127.0.0.1', () => console.log(server.server.address().port));
