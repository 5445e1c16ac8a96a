// npm's smtp-server as a program: `node npm_smtp_server.js <folder of the module> <settings>`.
// program.py says how it is spoken to.

'use strict';

const fs = require('fs');
const path = require('path');

const settings = JSON.parse(process.argv[3]);
const { SMTPServer } = require(process.argv[2]);

let count = 0;

function refusal(address) {
    const local = address.toLowerCase();
    if (local.startsWith(settings.rejected)) {
        return Object.assign(new Error('there is no such mailbox'), { responseCode: 550 });
    }
    if (local.startsWith(settings.deferred)) {
        return Object.assign(new Error('the mailbox is busy, try later'), { responseCode: 450 });
    }
    return null;
}

function known(auth) {
    if (auth.method === 'XOAUTH2') {
        return auth.username === settings.user && auth.accessToken === settings.token;
    }
    if (auth.method === 'CRAM-MD5') {
        return auth.username === settings.user && auth.validatePassword(settings.password);
    }
    return auth.username === settings.user && auth.password === settings.password;
}

const options = {
    name: 'mail.test',
    key: fs.readFileSync(settings.key),
    cert: fs.readFileSync(settings.certificate),
    authMethods: settings.mechanisms,
    authOptional: true,
    allowInsecureAuth: false,
    size: settings.size,
    disableReverseLookup: true,
    hideDSN: false,
    hideENHANCEDSTATUSCODES: false,
    hideREQUIRETLS: false,
    logger: false,

    onAuth(auth, session, callback) {
        if (known(auth)) {
            callback(null, { user: auth.username });
        } else {
            // What Google answers: the client must answer it with an empty line before it sees the 535.
            callback(null, { data: { status: '401', schemes: 'bearer mac', scope: 'mail' } });
        }
    },

    onRcptTo(address, session, callback) {
        callback(refusal(address.address));
    },

    onData(stream, session, callback) {
        const chunks = [];
        stream.on('data', chunk => chunks.push(chunk));
        stream.on('end', () => {
            if (stream.sizeExceeded) {
                callback(Object.assign(new Error('the message is too large'), { responseCode: 552 }));
                return;
            }
            const name = String(++count).padStart(6, '0');
            const unfinished = path.join(settings.folder, name);
            fs.writeFileSync(unfinished, Buffer.concat(chunks));
            fs.renameSync(unfinished, path.join(settings.folder, 'new', name));
            callback(null, `stored as ${name}`);
        });
    }
};

for (const [port, secure] of [[settings.tls_port, true], [settings.port, false]]) {
    const server = new SMTPServer({ ...options, secure });
    server.on('error', () => {}); // a client that ends a handshake must not end the server
    server.listen(port, settings.host);
}

process.stdin.on('end', () => process.exit(0)).resume();
